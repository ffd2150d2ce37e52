//! Any bytes as a recording: they are refused with a reason, or analysed and reported.
#![no_main]

use libfuzzer_sys::fuzz_target;
use linmem::trace::{Reader, Record, Writer};
use linmem::{AnalysisOptions, analyze_stream, export};

fuzz_target!(|bytes: &[u8]| {
    analyze(bytes);
    // Again, as what follows after a beginning that is hard to guess.
    analyze(&[&beginning(), bytes].concat());
});

fn analyze(recording: &[u8]) {
    let records = Reader::new(recording).filter(Result::is_ok).count();
    // A record of a snapshot or a stack can be a byte long, but is never empty.
    assert!(records <= recording.len());
    match analyze_stream(recording, &AnalysisOptions::default()) {
        Ok(report) => {
            assert!(!report.to_string().is_empty());
            export::json(&report, |_| None, &mut Vec::new()).expect("memory takes everything");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A module with a memory and an empty function, an instance of it, and a call stack.
fn beginning() -> Vec<u8> {
    const MODULE: &[u8] = b"\0asm\x01\0\0\0\
        \x01\x04\x01\x60\0\0\
        \x03\x02\x01\0\
        \x05\x03\x01\0\x01\
        \x0a\x04\x01\x02\0\x0b";
    let mut writer = Writer::new(Vec::new());
    writer.record(&Record::Module {
        name: "m".to_owned(),
        bytes: MODULE.to_vec(),
        allocator: r#"{"functions":[],"unseen":[],"notes":[],"candidates":[]}"#.to_owned(),
    });
    writer.record(&Record::Instance { module: 0, initial_pages: 1, max_pages: None });
    writer.record(&Record::Context { frames: Vec::new() });
    writer.finish().expect("memory takes everything")
}
