//! The report as versioned JSON; `docs/report-json.md` describes it.

use std::io::Write;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::report::Report;

/// The version of the JSON format. It changes when a reader of the old one could be misled.
pub const VERSION: u32 = 1;

/// What stands around the report.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<R> {
    format: String,
    version: u32,
    report: R,
}

const FORMAT: &str = "linmem-report";

/// Writes the report as indented JSON.
///
/// # Errors
///
/// [`ErrorKind::Io`] when `out` fails.
pub fn write(report: &Report, mut out: impl Write) -> Result<()> {
    let envelope = Envelope { format: FORMAT.to_owned(), version: VERSION, report };
    serde_json::to_writer_pretty(&mut out, &envelope).map_err(std::io::Error::from)?;
    writeln!(out)?;
    Ok(())
}

/// Reads what [`write()`] wrote.
///
/// # Errors
///
/// [`ErrorKind::InvalidTrace`] when it is no report of this version.
pub fn read(json: &[u8]) -> Result<Report> {
    let invalid = |reason: String| Error::new(ErrorKind::InvalidTrace, reason);
    let envelope: Envelope<Report> =
        serde_json::from_slice(json).map_err(|error| invalid(format!("no report: {error}")))?;
    if envelope.format != FORMAT || envelope.version != VERSION {
        return Err(invalid(format!("no {FORMAT} of version {VERSION}")));
    }
    Ok(envelope.report)
}
