//! How fast modules are read and rewritten.

use std::fs;

use anyhow::Result;
use linmem::allocator::Hints;
use linmem::call_graph::CallGraph;
use linmem::instrument::{self, instrument};
use linmem::symbolize::{Symbolizer, is_debug_section};
use linmem::{Allocator, Module};
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
            "Shortest of {} rounds. *Parse* validates and reads the module, *discover* builds the \
             call graph and finds the allocator, *instrument* rewrites; *all* is MB of the file \
             per second for the three together, *code* is MB of its code section. The bar is \
             {BAR} MB/s of the file.",
            setup.rounds
        ),
        columns: vec![
            "module",
            "file MB",
            "code MB",
            "parse ms",
            "discover ms",
            "instrument ms",
            "all MB/s",
            "all, code MB/s",
            "parse, code MB/s",
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
    parse: Times,
    discover: Times,
    instrument: Times,
    all: Times,
}

impl Stages {
    fn measure(wasm: &[u8], rounds: u32) -> Result<Stages> {
        let mut stages = Stages { file_bytes: wasm.len(), ..Stages::default() };
        for _ in 0..rounds {
            let (module, parse) = timed(|| Module::parse(wasm));
            let module = module?;
            let (found, discover) = timed(|| {
                let graph = CallGraph::new(&module);
                let symbols = Symbolizer::new(&module, None);
                let allocator = Allocator::discover(&module, &graph, &symbols, &Hints::new());
                allocator.map(|allocator| (graph, allocator))
            });
            let (graph, allocator) = found?;
            let options = instrument::Options::default();
            let (result, instrument) = timed(|| instrument(&module, &graph, &allocator, &options));
            result?;
            stages.code_bytes = module.code_section.len();
            stages.parse.add(parse);
            stages.discover.add(discover);
            stages.instrument.add(instrument);
            stages.all.add(parse + discover + instrument);
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
            millis(&self.parse),
            millis(&self.discover),
            millis(&self.instrument),
            format!("{speed:.0}"),
            format!("{:.0}", speed * code_share),
            format!("{:.0}", self.speed(&self.parse) * code_share),
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
        if matches!(&payload, Payload::CustomSection(custom) if is_debug_section(custom.name())) {
            continue;
        }
        if let Some((id, range)) = payload.as_section() {
            module.section(&RawSection { id, data: &wasm[range] });
        }
    }
    Ok(module.finish())
}
