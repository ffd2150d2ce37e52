//! `linmem call`: call an export under observation, once or many times.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use linmem::Report;
use linmem::units::{count, escape};
use linmem_wasmtime::{Details, FuncType, Session, Val};

use crate::check::Checks;
use crate::files;
use crate::guest::GuestArgs;
use crate::guest_values::{self, Passed, SessionStrings, Value};
use crate::output::{self, Output};
use crate::run::create;

/// Call an export of a reactor or plain module and report what its memory did
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// The module; it is not changed
    #[arg(value_name = "MODULE.wasm")]
    program: PathBuf,

    /// The exported function
    export: String,

    /// Its arguments: numbers, and text (see below)
    #[arg(value_name = "ARGS", allow_negative_numbers = true)]
    args: Vec<String>,

    /// Call it this many times, and say whether memory comes to rest
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    times: u64,

    /// How to read the result
    #[arg(long, value_name = "KIND", default_value = "number")]
    returns: Returns,

    #[command(flatten)]
    checks: Checks,

    #[command(flatten)]
    output: Output,

    /// Keep the recorded calls in this file, for `linmem report`
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    trace: Option<PathBuf>,

    #[command(flatten)]
    guest: GuestArgs,
}

const HELP: &str = "\
Arguments, for the parameters of the export in their order:
  42 -1 0x10 2.5   a number, if the whole argument is one
  banana           any other text: a C string in a block of its own, freed after the call unless
                   the export has freed it
  'a*131072'       text, repeated: what is before the last * as often as the number behind it says
  @FILE            the text in a file
  text:42          the rest, as it is, as a C string: also what looks like a number or a pattern
  sized:banana     any of these texts, for two parameters: pointer and length, in a block of just
                   its bytes

Exit code: 1 when an error was found, a call failed, or memory or live bytes keep growing; 2 when
linmem could not do its job.";

/// What an export returns.
#[derive(Clone, Copy, ValueEnum)]
pub enum Returns {
    /// Numbers, as they are
    Number,
    /// A pointer to a C string that the module keeps
    String,
    /// A pointer to a C string that the host frees
    OwnedString,
    /// Pointer and length
    Bytes,
}

/// Runs the command.
pub fn main(args: Args) -> Result<ExitCode> {
    let wasm = files::read(&args.program)?;
    let debug = files::debug_information(&args.program, &wasm);
    let mut run =
        args.guest.prepare(&args.program, &wasm, debug.as_deref(), args.checks.checking())?;
    run = run.inherit_stdio().analysis(args.output.analysis());
    if let Some(path) = &args.trace {
        run = run.trace_into(create(path)?);
    }
    let mut session = files::about(&args.program, run.start())?;
    let path = || args.program.display().to_string();
    let calls = Calls::new(&args, &mut session).with_context(path)?;
    let (report, last) = calls.make(&mut session).with_context(path)?;
    if !last.is_empty() {
        anstream::println!("{}", escape(&last));
    }
    args.output.write(&report)?;
    let outcome = session.finish()?;
    let trace = args.trace.as_deref().unwrap_or(Path::new(""));
    outcome.kept.with_context(|| format!("cannot write {}", trace.display()))?;
    Ok(output::exit_code(&report))
}

/// The calls that are to be made.
struct Calls<'a> {
    export: &'a str,
    returns: Returns,
    times: u64,
    values: Vec<Value>,
    /// `None` if all arguments and results are numbers.
    strings: Option<SessionStrings>,
}

/// What became of the texts that were passed.
#[derive(Default)]
struct Texts {
    passed: u64,
    /// Those that the export has freed.
    taken_over: u64,
}

impl Texts {
    /// That the export frees texts, if it does.
    fn note(&self, export: &str) -> Option<String> {
        (self.taken_over > 0).then(|| {
            format!(
                "`{export}` took over the texts that it was given: it freed {} of {}",
                count(self.taken_over),
                count(self.passed)
            )
        })
    }
}

/// What a call returned.
#[derive(Default)]
struct Returned {
    /// As text for a cell of the table.
    short: String,
    whole: String,
}

impl<'a> Calls<'a> {
    fn new(args: &'a Args, session: &mut Session<'_>) -> Result<Calls<'a>> {
        let ty = session.function_type(&args.export)?;
        let values = guest_values::parse(&args.args, &args.export, &ty)?;
        args.returns.check(&args.export, &ty)?;
        let only_numbers = matches!(args.returns, Returns::Number)
            && values.iter().all(|value| matches!(value, Value::Number(_)));
        let strings = if only_numbers { None } else { Some(SessionStrings::new(session)?) };
        let (export, returns, times) = (&args.export, args.returns, args.times);
        Ok(Calls { export, returns, times, values, strings })
    }

    /// Makes the calls. Returns the report and what the last call returned.
    fn make(&self, session: &mut Session<'_>) -> Result<(Report, String)> {
        let mut last = String::new();
        let mut texts = Texts::default();
        let repeats = session.repeat_with_details(self.export, self.times, |session| {
            let (texts_at, returned) = self.one(session, &mut texts)?;
            last = returned.whole;
            anyhow::Ok(Details::new(texts_at, returned.short))
        })?;
        let mut report = session.report()?.with_repeats(repeats);
        report.notes.extend(texts.note(self.export));
        Ok((report, last))
    }

    /// Makes one call: passes the texts, calls, takes the result, and frees the texts that the export has
    /// not freed.
    fn one(&self, session: &mut Session<'_>, texts: &mut Texts) -> Result<(Vec<u64>, Returned)> {
        let mut passed = Vec::new();
        let called = self.call(session, &mut passed);
        let texts_at = passed.iter().map(|(text, _)| text.pointer()).collect();
        // After a trap the texts cannot be freed, and the error is the trap.
        let freed: Result<()> = passed.into_iter().try_for_each(|(text, allocation)| {
            texts.passed += 1;
            if allocation.is_some() && session.allocation_at(text.pointer())? != allocation {
                texts.taken_over += 1;
                return Ok(());
            }
            text.free(session)
        });
        let returned = called?;
        freed?;
        Ok((texts_at, returned))
    }

    /// Makes a call. Of each text that it passes, `passed` gets which allocation made its block, if that was seen.
    fn call(
        &self,
        session: &mut Session<'_>,
        passed: &mut Vec<(Passed, Option<u64>)>,
    ) -> Result<Returned> {
        let mut arguments = Vec::new();
        for value in &self.values {
            match (value, &self.strings) {
                (Value::Number(number), _) => arguments.push(*number),
                (Value::Text(text) | Value::Sized(text), Some(strings)) => {
                    let with_length = matches!(value, Value::Sized(_));
                    let text = strings.pass(session, text, with_length)?;
                    arguments.extend(text.values(with_length));
                    let allocation = session.allocation_at(text.pointer())?;
                    passed.push((text, allocation));
                }
                (_, None) => bail!("the module has no allocator for text"),
            }
        }
        let results = session.call(self.export, &arguments)?;
        self.returned(session, &results)
    }

    fn returned(&self, session: &mut Session<'_>, results: &[Val]) -> Result<Returned> {
        let pointers: Vec<u64> = results.iter().filter_map(address).collect();
        let text = match (self.returns, &self.strings, pointers.as_slice()) {
            (Returns::String, Some(strings), &[at]) => strings.read(session, at)?,
            (Returns::OwnedString, Some(strings), &[at]) => strings.take(session, at)?,
            (Returns::Bytes, Some(strings), &[at, length]) => {
                strings.read_sized(session, at, length)?
            }
            _ => {
                let numbers: Vec<String> = results.iter().map(shown_number).collect();
                let whole = numbers.join(" ");
                return Ok(Returned { short: whole.clone(), whole });
            }
        };
        let short = format!("{} at {:#x}", shortened(&text), pointers[0]);
        Ok(Returned { short, whole: text })
    }
}

impl Returns {
    /// Refuses a kind of result that the export cannot return.
    fn check(self, export: &str, ty: &FuncType) -> Result<()> {
        let needed = match self {
            Returns::Number => return Ok(()),
            Returns::String | Returns::OwnedString => 1,
            Returns::Bytes => 2,
        };
        let results: Vec<String> = ty.results().map(|result| result.to_string()).collect();
        let integers = results.iter().filter(|result| ["i32", "i64"].contains(&result.as_str()));
        if results.len() == needed && integers.count() == needed {
            return Ok(());
        }
        let wanted = if needed == 1 { "a pointer" } else { "a pointer and a length" };
        bail!("`{export}` returns ({}), which is not {wanted}", results.join(", "))
    }
}

fn address(value: &Val) -> Option<u64> {
    match value {
        Val::I32(value) => Some(u64::from(*value as u32)),
        Val::I64(value) => Some(*value as u64),
        _ => None,
    }
}

fn shown_number(value: &Val) -> String {
    match value {
        Val::I32(value) => value.to_string(),
        Val::I64(value) => value.to_string(),
        Val::F32(bits) => f32::from_bits(*bits).to_string(),
        Val::F64(bits) => f64::from_bits(*bits).to_string(),
        other => format!("{other:?}"),
    }
}

/// A text, cut so that it fits into a table.
fn shortened(text: &str) -> String {
    const CHARACTERS: usize = 24;
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("\"{}…\" ({} bytes)", &text[..end], text.len()),
        None => format!("\"{text}\""),
    }
}
