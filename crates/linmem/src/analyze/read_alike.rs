//! Findings of several instances that read alike are one to people, and others are not.

use super::recording::Recording;
use crate::report::{Code, Finding, Report, StackFrame};

fn lost(instance: usize, blocks: u64, line: &str) -> Finding {
    let stack = vec![StackFrame {
        function: line.to_owned(),
        file: None,
        line: None,
        column: None,
        offset: None,
        inlined: false,
    }];
    let size = 10 * blocks;
    let message = match blocks {
        1 => format!("{size} bytes in 1 block lost: nothing points to it any more"),
        _ => format!("{size} bytes in {blocks} blocks lost: nothing points to them any more"),
    };
    let finding = Finding::new(Code::LeakDefinite).about(instance).message(message);
    let finding = finding.number("blocks", blocks).number("bytes", size);
    finding.stack("allocated", stack)
}

/// The report's text with these findings, of four instances of one module and one of another.
fn text(findings: Vec<Finding>) -> String {
    let empty = "(module (memory 2))";
    let mut recording = Recording::of(&[("a.wasm", empty), ("b.wasm", empty)], &[]);
    for (memory, module) in (0..).zip([0, 0, 0, 0, 1]) {
        recording.memory();
        recording.instance_of(module, memory);
    }
    let report = recording.finish().report().unwrap();
    Report { findings, ..report }.to_string()
}

#[test]
fn findings_that_read_alike_are_one() {
    let text = text(vec![lost(0, 1, "f"), lost(1, 3, "f"), lost(3, 1, "f")]);
    let sentence = "error[leak-definite]: 50 bytes in 5 blocks in 3 instances (0 and 1, 3); in instance 1: \
                    30 bytes in 3 blocks lost: nothing points to them any more\n";
    assert!(text.contains(sentence), "{text}");
    assert!(text.starts_with("linmem: a.wasm: 1 error\n"), "{text}");
    assert_eq!(text.matches("leak-definite").count(), 1, "{text}");
}

#[test]
fn findings_without_blocks_are_counted_by_instances() {
    let grows = |instance, pages| {
        let message = format!("each of 9 calls of `f` kept {pages} pages");
        Finding::new(Code::KeepsGrowing).about(instance).message(message)
    };
    let text = text(vec![grows(0, 2), grows(1, 7)]);
    let sentence = "in 2 instances (0 and 1); in instance 0: each of 9 calls of `f` kept 2 pages\n";
    assert!(text.contains(sentence), "{text}");
}

#[test]
fn findings_of_one_instance_stay_several() {
    let text = text(vec![lost(0, 1, "f"), lost(0, 2, "f"), lost(1, 1, "f"), lost(1, 2, "f")]);
    assert!(text.starts_with("linmem: a.wasm: 2 errors\n"), "{text}");
    assert_eq!(text.matches(" in 2 instances (0 and 1); in instance ").count(), 2, "{text}");
}

#[test]
fn numbers_of_instances_that_are_not_there_are_left_out() {
    let text = text(vec![lost(7, 1, "f"), lost(8, 1, "f")]);
    assert!(
        text.contains("]: 10 bytes in 1 block lost: nothing points to it any more\n"),
        "{text}"
    );
}

#[test]
fn other_places_codes_modules_and_words_are_other_findings() {
    let double_free = Finding::new(Code::DoubleFree).message("10 bytes in 1 block lost");
    let of_export = |export| {
        let message = format!("1 block never given back: the host got it from `{export}`");
        Finding::new(Code::LeakHostHeld).message(message)
    };
    let findings = vec![
        lost(0, 1, "f"),
        lost(1, 1, "g"),
        lost(4, 1, "f"),
        double_free.about(2),
        of_export("f1").about(0),
        of_export("f2").about(1),
    ];
    let number = findings.len();
    let text = text(findings);
    assert_eq!(text.matches(" (instance ").count(), number, "{text}");
    assert!(!text.contains("in instance"), "{text}");
}
