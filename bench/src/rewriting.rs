//! How fast modules are read and rewritten.

use std::fs;

use anyhow::Result;
use linmem::{Mode, Prepared};
use wasm_encoder::RawSection;
use wasmparser::{Parser, Payload};

use crate::Setup;
use crate::table::Table;
use crate::timing::{Times, timed};

const FILES: &[&str] = &["sqlite.wasm", "qjs.wasm"];

/// Megabytes of module per second that rewriting should reach.
const BAR: f64 = 50.0;

/// Measures each file as it is, and without its debug information.
pub fn measure(setup: &Setup) -> Result<Table> {
    eprintln!("rewriting ...");
    let mut rows = Vec::new();
    let mut met = true;
    for file in FILES {
        let wasm = fs::read(setup.guest(file)?)?;
        for (title, wasm) in
            [((*file).to_owned(), &wasm), (format!("{file} without DWARF"), &without_debug(&wasm)?)]
        {
            let stages = Stages::measure(wasm, setup.rounds)?;
            met &= stages.speed(&stages.all) >= BAR;
            rows.push(stages.row(title));
        }
    }
    Ok(Table {
        title: "Rewriting",
        note: format!(
            "Shortest of {} rounds. *Prepare* validates and reads the module, builds the call graph \
             and finds the allocator, *instrument* rewrites; *all* is MB of the file per second for \
             the two together, *code* is MB of its code section. The bar is {BAR} MB/s of the file.",
            setup.rounds
        ),
        columns: vec![
            "module",
            "file MB",
            "code MB",
            "prepare ms",
            "instrument ms",
            "all MB/s",
            "all, code MB/s",
            "met",
        ],
        rows,
        met,
    })
}

/// A file's stages, round by round.
#[derive(Default)]
struct Stages {
    file_bytes: usize,
    code_bytes: usize,
    prepare: Times,
    instrument: Times,
    all: Times,
}

impl Stages {
    fn measure(wasm: &[u8], rounds: u32) -> Result<Stages> {
        let mut stages = Stages { file_bytes: wasm.len(), ..Stages::default() };
        for _ in 0..rounds {
            let (prepared, prepare) = timed(|| Prepared::new(wasm, &Vec::new(), None));
            let prepared = prepared?;
            let (result, instrument) = timed(|| prepared.instrument(&Mode::default()));
            result?;
            stages.code_bytes = prepared.inspect()?.code_bytes as usize;
            stages.prepare.add(prepare);
            stages.instrument.add(instrument);
            stages.all.add(prepare + instrument);
        }
        Ok(stages)
    }

    /// Megabytes of the file per second.
    fn speed(&self, times: &Times) -> f64 {
        megabytes(self.file_bytes) / times.min().as_secs_f64()
    }

    fn row(&self, title: String) -> Vec<String> {
        let millis = |times: &Times| format!("{:.1}", times.min().as_secs_f64() * 1e3);
        let code_share = self.code_bytes as f64 / self.file_bytes as f64;
        let speed = self.speed(&self.all);
        vec![
            title,
            format!("{:.2}", megabytes(self.file_bytes)),
            format!("{:.2}", megabytes(self.code_bytes)),
            millis(&self.prepare),
            millis(&self.instrument),
            format!("{speed:.0}"),
            format!("{:.0}", speed * code_share),
            if speed >= BAR { "yes" } else { "no" }.to_owned(),
        ]
    }
}

fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

/// The module without its debug information.
fn without_debug(wasm: &[u8]) -> Result<Vec<u8>> {
    let mut module = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        if matches!(&payload, Payload::CustomSection(custom) if custom.name().starts_with(".debug_"))
        {
            continue;
        }
        if let Some((id, range)) = payload.as_section() {
            module.section(&RawSection { id, data: &wasm[range] });
        }
    }
    Ok(module.finish())
}
