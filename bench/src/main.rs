//! What linmem costs: guest programs alone against guest programs under observation, the rewriter,
//! and linmem's own memory. `bench/README.md` says what is measured how.
//!
//! Every section is a function from [`Setup`] to a [`Table`].

mod checks;
mod child;
mod contexts;
mod machine;
mod memory;
mod overhead;
mod pairs;
mod process;
mod programs;
mod replay;
mod rewriting;
mod strings;
mod table;
mod timing;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::Parser;

use programs::{PROGRAMS, Program};
use table::Table;

/// Measure what linmem costs
#[derive(Parser)]
#[command(name = "linmem-bench", after_help = "Without names, all of it is measured.")]
struct Args {
    /// Sections (memory, overhead, pairs, replay, rewriting, contexts, checks, strings) or programs of the overhead (sqlite, ...)
    names: Vec<String>,

    /// Rounds in each section; each round measures every side once
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Also write the tables to bench/RESULTS.md
    #[arg(long, conflicts_with = "names")]
    write: bool,
}

/// Where things are, and how often to measure.
struct Setup {
    /// The checkout.
    root: PathBuf,
    /// This program.
    bench: PathBuf,
    /// The program under test.
    linmem: PathBuf,
    /// What the overhead is measured of.
    programs: Vec<&'static Program>,
    rounds: u32,
}

type Section = fn(&Setup) -> Result<Table>;

/// In the order of the results. Memory comes first: a child's peak counts from that of the process
/// that starts it, which is still small then.
const SECTIONS: &[(&str, Section)] = &[
    ("memory", memory::measure),
    ("overhead", overhead::measure),
    ("pairs", pairs::measure),
    ("replay", replay::measure),
    ("rewriting", rewriting::measure),
    ("contexts", contexts::measure),
    ("checks", checks::measure),
    ("strings", strings::measure),
];

fn main() -> Result<ExitCode> {
    let raw: Vec<String> = std::env::args().skip(1).collect();
    if let Some(role) = raw.first().and_then(|name| child::Role::from_name(name)) {
        child::main(role, &raw[1..])?;
        return Ok(ExitCode::SUCCESS);
    }
    let args = Args::parse();
    check_names(&args.names)?;
    let setup = Setup::find(&args)?;

    let machine = machine::describe();
    println!("{machine}\n");
    let mut tables = Vec::new();
    for (name, measure) in SECTIONS {
        if args.wants(name) || *name == "overhead" && !setup.programs.is_empty() {
            let table = measure(&setup)?;
            println!("{table}");
            tables.push(table);
        }
    }
    if args.write {
        write_results(&setup.root, &machine, &tables)?;
    }
    let met = tables.iter().all(|table| table.met);
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check_names(names: &[String]) -> Result<()> {
    let sections = SECTIONS.iter().map(|(name, _)| *name);
    let known: Vec<&str> = sections.chain(PROGRAMS.iter().map(|program| program.name)).collect();
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => bail!("there is no `{unknown}`; there are {}", known.join(", ")),
        None => Ok(()),
    }
}

impl Args {
    /// Whether a section or a program is to be measured.
    fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted == name)
    }
}

impl Setup {
    fn find(args: &Args) -> Result<Setup> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no checkout")?;
        let bench = std::env::current_exe()?;
        let linmem = bench.with_file_name(format!("linmem{}", std::env::consts::EXE_SUFFIX));
        build_linmem(root)?;
        if !linmem.exists() {
            bail!("{} is not built: cargo build --release", linmem.display());
        }
        let wanted = |program: &&Program| args.wants("overhead") || args.wants(program.name);
        let programs = PROGRAMS.iter().filter(wanted).collect();
        Ok(Setup { root: root.to_owned(), bench, linmem, programs, rounds: args.rounds })
    }

    /// The directory that guests see as `/`.
    fn guest_root(&self) -> PathBuf {
        self.root.join("bench/guests")
    }

    /// A guest that `scripts/build-guests` has built.
    fn guest(&self, file: &str) -> Result<PathBuf> {
        let path = self.root.join("target/guests").join(file);
        if !path.exists() {
            bail!("target/guests/{file} is not built: scripts/build-guests --real");
        }
        Ok(path)
    }
}

/// Builds the program under test, if cargo runs this one: an old one would be measured else.
fn build_linmem(root: &Path) -> Result<()> {
    let Some(cargo) = std::env::var_os("CARGO") else { return Ok(()) };
    let build = Command::new(cargo).args(["build", "--release"]).current_dir(root).status()?;
    if !build.success() {
        bail!("cannot build linmem");
    }
    Ok(())
}

fn write_results(root: &Path, machine: &str, tables: &[Table]) -> Result<()> {
    let mut text = format!(
        "# What linmem costs\n\n\
         Written by `cargo run --release -p linmem-bench -- --write`; [README.md](README.md) says \
         what is measured how.\n\n{machine}\n"
    );
    for table in tables {
        text += &format!("\n{table}");
    }
    let path = root.join("bench/RESULTS.md");
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}
