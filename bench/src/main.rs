//! What linmem costs: guest programs alone against guest programs under observation, the rewriter,
//! and linmem's own memory. `bench/README.md` says what is measured how.
//!
//! Every section is a function from [`Setup`] to a [`Table`].

mod child;
mod contexts;
mod machine;
mod memory;
mod overhead;
mod pairs;
mod process;
mod programs;
mod rewriting;
mod table;
mod timing;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::Parser;

use table::Table;

/// Measure what linmem costs
#[derive(Parser)]
#[command(name = "linmem-bench", after_help = "Without names, all of it is measured.")]
struct Args {
    /// Sections (overhead, pairs, memory, rewriting, contexts) or programs of the first (sqlite, ...)
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
    rounds: u32,
}

type Section = fn(&Setup) -> Result<Table>;

/// The sections after the overhead, which is measured program by program. Those that do their work
/// in this process come last: a child's peak memory counts from that of the process that starts it.
const SECTIONS: &[(&str, Section)] = &[
    ("pairs", pairs::measure),
    ("memory", memory::measure),
    ("rewriting", rewriting::measure),
    ("contexts", contexts::measure),
];

fn main() -> Result<ExitCode> {
    let raw: Vec<String> = std::env::args().skip(1).collect();
    if let Some(role) = raw.first().and_then(|name| child::Role::from_name(name)) {
        child::main(role, &raw[1..])?;
        return Ok(ExitCode::SUCCESS);
    }
    let args = Args::parse();
    check_names(&args.names)?;
    let setup = Setup::find(args.rounds)?;

    let machine = machine::describe();
    println!("{machine}\n");
    let mut tables = Vec::new();
    let mut show = |table: Table| {
        println!("{table}");
        tables.push(table);
    };
    let programs = programs::chosen(&args.names);
    if !programs.is_empty() {
        show(overhead::measure(&setup, &programs)?);
    }
    for (name, measure) in SECTIONS {
        if args.names.is_empty() || args.names.iter().any(|n| n == name) {
            show(measure(&setup)?);
        }
    }
    if args.write {
        write_results(&setup.root, &machine, &tables)?;
    }
    let met = tables.iter().all(|table| table.met);
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check_names(names: &[String]) -> Result<()> {
    let known: Vec<&str> = std::iter::once(programs::ALL_NAME)
        .chain(SECTIONS.iter().map(|(name, _)| *name))
        .chain(programs::PROGRAMS.iter().map(|program| program.name))
        .collect();
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => bail!("there is no `{unknown}`; there are {}", known.join(", ")),
        None => Ok(()),
    }
}

impl Setup {
    fn find(rounds: u32) -> Result<Setup> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no checkout")?;
        let bench = std::env::current_exe()?;
        let linmem = bench.with_file_name(format!("linmem{}", std::env::consts::EXE_SUFFIX));
        build_linmem(root)?;
        if !linmem.exists() {
            bail!("{} is not built: cargo build --release", linmem.display());
        }
        Ok(Setup { root: root.to_owned(), bench, linmem, rounds })
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
