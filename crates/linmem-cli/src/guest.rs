//! What a module that runs is granted, and what the user says about its allocator.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches, ValueEnum};
use linmem::allocator::Role;
use linmem::{Mode, Prepared};
use linmem_wasmtime::{Run, Stopper, Stub};

use crate::check::Checking;
use crate::files;
use crate::interrupt::on_interrupt;

/// The options of every command that runs a module.
#[derive(clap::Args)]
pub struct GuestArgs {
    /// Grant a directory, and what is in it; GUEST is its name for the program
    #[arg(long, value_name = "HOST[::GUEST]", help_heading = "Program")]
    dir: Vec<String>,

    /// Grant an environment variable; without VALUE, linmem's own value
    #[arg(long, value_name = "NAME[=VALUE]", help_heading = "Program")]
    env: Vec<String>,

    /// Stop the program after this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = "Program")]
    timeout: Option<Duration>,

    /// Cap the memory: every growth past this many pages (of 64 KiB) fails
    #[arg(long, value_name = "N", help_heading = "Program")]
    max_pages: Option<u64>,

    /// Let the Nth allocation, counted from 1, return NULL
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Program")]
    fail_alloc: Option<u64>,

    /// Let functions that WASI does not provide trap only when they are called, or return zero
    #[arg(
        long,
        value_name = "trap|zero",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "trap",
        help_heading = "Program"
    )]
    stub_imports: Option<StubArg>,

    /// Let an imported function return this number; NAME may be MODULE.NAME
    #[arg(long, value_name = "NAME=VALUE", value_parser = stub, help_heading = "Program")]
    stub: Vec<(String, i64)>,

    /// Compile the module anew, and keep no compiled code (in linmem/wasmtime of the user's cache directory, or in
    /// LINMEM_CACHE_DIR)
    #[arg(long, help_heading = "Program")]
    no_cache: bool,

    #[command(flatten)]
    allocator: AllocatorArgs,
}

/// What functions do that nobody provides.
#[derive(Clone, Copy, ValueEnum)]
enum StubArg {
    /// They trap when they are called
    Trap,
    /// They return zero
    Zero,
}

/// Which functions allocate, where the module does not say: an option for each role.
#[derive(Clone, Default)]
pub struct AllocatorArgs {
    hints: Vec<(Role, String)>,
}

/// A role as an option is named.
fn option(role: Role) -> String {
    role.name().replace('_', "-")
}

impl Args for AllocatorArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        let options = Role::ALL.into_iter().map(|role| {
            Arg::new(role.name())
                .long(option(role))
                .value_name("NAME|INDEX")
                .action(ArgAction::Append)
                .help(role.signature())
                .help_heading("Allocator functions, each by name or index")
        });
        command.args(options)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for AllocatorArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let hints = Role::ALL.into_iter().flat_map(|role| {
            let names = matches.get_many::<String>(role.name()).unwrap_or_default();
            names.map(move |name| (role, name.clone()))
        });
        Ok(AllocatorArgs { hints: hints.collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl AllocatorArgs {
    /// The hints, one for each name or index given.
    pub fn hints(&self) -> Vec<(Role, String)> {
        self.hints.clone()
    }

    /// The hints as options of a command line.
    pub fn options(&self) -> Vec<String> {
        let hints = self.hints.iter();
        hints.flat_map(|(role, name)| [format!("--{}", option(*role)), name.clone()]).collect()
    }
}

impl GuestArgs {
    /// A module, with all that it is granted.
    ///
    /// # Errors
    ///
    /// When the module cannot be read, or something cannot be granted; the message names the file.
    pub fn prepare<'a>(
        &self,
        path: &Path,
        wasm: &'a [u8],
        debug: Option<&'a [u8]>,
        checks: Option<&Checking>,
    ) -> Result<Run<'a>> {
        let prepared = Prepared::new(wasm, &self.allocator.hints(), debug);
        let prepared = files::about(path, prepared)?;
        let mode = match checks {
            Some(checking) => checking.limits.mode(self.fail_alloc),
            None => Mode::record(self.fail_alloc),
        };
        let stop_at_first = checks.is_some_and(|checking| checking.stop_at_first);
        let run = Run::of(prepared).mode(mode).stop_at_first(stop_at_first);
        self.grant(run.name(&path.file_name().unwrap_or_default().to_string_lossy()))
            .with_context(|| path.display().to_string())
    }

    fn grant<'a>(&self, mut run: Run<'a>) -> Result<Run<'a>> {
        let stopper = Stopper::default();
        run = run.stopper(stopper.clone());
        on_interrupt(move || stopper.stop("interrupted"))?;
        for grant in &self.dir {
            let (host, guest) = grant.split_once("::").unwrap_or((grant, grant));
            run = run.dir(host, guest)?;
        }
        for variable in &self.env {
            run = match variable.split_once('=') {
                Some((name, value)) => run.env(name, value),
                None => {
                    let value = std::env::var(variable)
                        .with_context(|| format!("--env {variable}: cannot pass it on"))?;
                    run.env(variable, &value)
                }
            };
        }
        if let (false, Some(directory)) = (self.no_cache, files::cache_dir()) {
            run = run.cache_dir(directory);
        }
        if let Some(pages) = self.max_pages {
            run = run.max_pages(pages);
        }
        if let Some(limit) = self.timeout {
            run = run.timeout(limit);
        }
        if let Some(stubs) = self.stub_imports {
            run = run.stub_imports(match stubs {
                StubArg::Trap => Stub::Trap,
                StubArg::Zero => Stub::Zero,
            });
        }
        for (name, value) in &self.stub {
            run = run.stub(name, *value);
        }
        Ok(run)
    }
}

fn stub(text: &str) -> Result<(String, i64), String> {
    let (name, value) = text.split_once('=').ok_or("not NAME=VALUE")?;
    let value = value.parse().map_err(|_| format!("`{value}` is not a whole number"))?;
    Ok((name.to_owned(), value))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
