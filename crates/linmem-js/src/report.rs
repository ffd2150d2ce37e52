//! Reports: recordings in, text and JSON out.

use linmem::export::{self, TextOptions};
use linmem::report::{NothingWatched, Remedy};
use linmem::{AnalysisOptions, Recordings, Report};
use serde::{Deserialize, Serialize};

use crate::host::{Recording, module_beside};
use crate::outcome::Outcome;
use crate::{bytes, json};

type Open = fn(&str) -> linmem::Result<Recording>;

/// Recordings that are being read.
pub struct Reading(Recordings<Recording, Open>);

/// How a report is to look.
#[derive(Deserialize)]
struct Looks {
    color: bool,
}

/// What a host does with a report depends on this.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verdict<'a> {
    /// Why there is nothing to say but notes, if that is so.
    nothing_watched: Option<NothingWatched>,
    /// Whether an error was found.
    errors: bool,
    /// What the recorder wants to be known.
    notes: &'a [String],
    /// Of these, what tells of modules, documents and workers that could not be watched.
    unwatched: Vec<&'a str>,
}

/// The options of the `linmem` command that do what the library's advice says.
pub fn options_for(remedy: Remedy) -> Option<&'static str> {
    match remedy {
        Remedy::NameAllocatorFunctions => Some("--malloc, --free, …"),
        Remedy::NameMalloc => Some("--malloc INDEX"),
        Remedy::Collect => Some("to see what finalizers free: the option --collect"),
        _ => None,
    }
}

/// Begins to read recordings, of which none is known yet. Reports have so many hot sites of each kind; garbage was collected at
/// the end, or not.
#[unsafe(no_mangle)]
pub extern "C" fn begin(hot_sites: usize, collected: bool) -> *mut Reading {
    let options = AnalysisOptions::new(hot_sites).collected(collected);
    let recordings =
        Recordings::new(options, Recording::open as Open).modules_beside(module_beside);
    Box::into_raw(Box::new(Reading(recordings)))
}

/// Adds a recording by its name, if it is a new one.
///
/// # Safety
///
/// `reading` is one of [`begin`], and there are so many bytes at the address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn add(
    reading: *mut Reading,
    name: *const u8,
    name_length: usize,
) -> *mut Outcome {
    let (Reading(recordings), name) = unsafe { (&mut *reading, bytes(name, name_length)) };
    Outcome::of(|| {
        recordings.add(&String::from_utf8_lossy(name));
        Ok(Vec::new())
    })
}

/// Takes in what the recordings have by now, or a part of it: no part if there was nothing, else an empty one.
///
/// # Safety
///
/// `reading` is one of [`begin`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn take_in(reading: *mut Reading) -> *mut Outcome {
    let Reading(recordings) = unsafe { &mut *reading };
    Outcome::of(|| Ok(if recordings.take_in()? { vec![Vec::new()] } else { Vec::new() }))
}

/// Ends the reading: the verdict as JSON, the report as text and as JSON.
///
/// # Safety
///
/// `reading` is one of [`begin`], and is used up; there are so many bytes at the address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn finish(
    reading: *mut Reading,
    looks: *const u8,
    looks_length: usize,
) -> *mut Outcome {
    let (reading, looks) = unsafe { (Box::from_raw(reading), bytes(looks, looks_length)) };
    Outcome::of(|| {
        let Looks { color } = json(looks)?;
        let report = reading.0.finish()?.unwrap_or_default();
        let (mut text, mut as_json) = (Vec::new(), Vec::new());
        export::text(&report, TextOptions::new(color, options_for), &mut text)?;
        export::json(&report, options_for, &mut as_json)?;
        Ok(vec![verdict(&report), text, as_json])
    })
}

fn verdict(report: &Report) -> Vec<u8> {
    let verdict = Verdict {
        nothing_watched: report.nothing_watched(),
        errors: report.has_errors(),
        notes: &report.notes,
        unwatched: report.unwatched().collect(),
    };
    serde_json::to_vec(&verdict).unwrap_or_default()
}
