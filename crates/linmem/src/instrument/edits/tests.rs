use proptest::prelude::*;

use super::*;
use crate::module::SiteKind;

/// A body of one byte for the locals and nine instructions of one byte, at the offsets 11 to 19.
const FILE: &[u8] = b"..........\0abcdefghi";

fn body() -> Body {
    Body {
        range: 10..20,
        code_start: 11,
        local_groups: 0,
        locals: 0,
        sites: Vec::new(),
        static_words: Vec::new(),
        statics: Default::default(),
        static_addresses: Vec::new(),
    }
}

fn site(offset: usize) -> Site {
    Site { offset, len: 1, kind: SiteKind::MemoryGrow(0) }
}

/// One list of edits: offset, whether it replaces, and a number of `nop`s as the new code.
type List = Vec<(usize, bool, usize)>;

fn applied(lists: &[List]) -> (Vec<u8>, Points) {
    let mut edits = Edits::default();
    for list in lists {
        let start = edits.edits.len();
        for &(offset, replaces, nops) in list {
            let write = |code: &mut InstructionSink<'_>| {
                for _ in 0..nops {
                    code.nop();
                }
            };
            if replaces {
                edits.replace(&site(offset), write);
            } else {
                edits.insert_before(offset, write);
            }
        }
        edits.lists.push(start..edits.edits.len());
    }
    let (mut out, mut points) = (Vec::new(), Points::default());
    edits.apply(FILE, &body(), &mut out, &mut points, &mut Vec::new());
    (out, points)
}

/// The edited code, with `nop`s shown as `-`.
fn text(lists: &[List]) -> String {
    let (out, _) = applied(lists);
    out[1..].iter().map(|&byte| if byte == 1 { '-' } else { char::from(byte) }).collect()
}

#[test]
fn a_body_without_edits_is_copied() {
    assert_eq!(applied(&[]).0, FILE[10..]);
    assert_eq!(applied(&[vec![], vec![]]).0, FILE[10..]);
}

#[test]
fn lists_are_merged_in_the_order_of_offsets() {
    let lists = [vec![(12, false, 1), (18, false, 2)], vec![(11, false, 1), (15, true, 3)]];
    assert_eq!(text(&lists), "-a-bcd---fg--hi");
}

#[test]
fn insertions_come_before_a_replacement_at_the_same_place() {
    let mut edits = Edits::default();
    edits.replace(&site(12), |code| {
        code.unreachable();
    });
    edits.lists.push(0..1);
    edits.insert_before(12, |code| {
        code.nop();
    });
    edits.lists.push(1..2);
    edits.insert_before(12, |code| {
        code.drop();
    });
    edits.lists.push(2..3);
    let mut out = Vec::new();
    edits.apply(FILE, &body(), &mut out, &mut Points::default(), &mut Vec::new());
    assert_eq!(out, b"\0a\x01\x1a\0cdefghi");
}

#[test]
fn an_insertion_of_no_code_is_no_edit() {
    assert_eq!(applied(&[vec![(12, false, 0)]]).1, applied(&[]).1);
}

#[test]
#[cfg_attr(debug_assertions, should_panic(expected = "replaced twice"))]
fn the_first_of_two_replacements_stays() {
    assert_eq!(text(&[vec![(12, true, 1)], vec![(12, true, 2)]]), "a-cdefghi");
}

#[test]
fn the_start_and_new_locals_come_before_everything_else() {
    let mut edits = Edits::default();
    assert_eq!(edits.add_locals(&body(), 2, ValType::I64), 0);
    assert_eq!(edits.add_locals(&body(), 1, ValType::F32), 2);
    edits.at_start(|code| {
        code.nop();
    });
    let mut out = Vec::new();
    edits.apply(FILE, &body(), &mut out, &mut Points::default(), &mut Vec::new());
    // One group of two `i64`, and one of an `f32`.
    assert_eq!(out, b"\x02\x02\x7e\x01\x7d\x01abcdefghi");
    edits.clear();
    out.clear();
    edits.apply(FILE, &body(), &mut out, &mut Points::default(), &mut Vec::new());
    assert_eq!(out, FILE[10..]);
}

/// A list in the order of offsets that replaces nothing twice.
fn list(may_replace: bool) -> impl Strategy<Value = List> {
    proptest::collection::btree_map(11_usize..20, (any::<bool>(), 0_usize..4), 0..6).prop_map(
        move |edits| {
            let edits = edits.into_iter();
            edits.map(|(at, (replaces, nops))| (at, replaces && may_replace, nops)).collect()
        },
    )
}

proptest! {
    #[test]
    fn merging_is_sorting_and_points_lead_back(
        lists in (list(true), list(false), list(false)).prop_map(|(a, b, c)| vec![a, b, c]),
    ) {
        let mut sorted: List = lists.concat();
        sorted.sort_by_key(|&(offset, replaces, _)| (offset, replaces));
        let mut expected = vec![0];
        let mut copied = 11;
        for &(offset, replaces, nops) in &sorted {
            expected.extend_from_slice(&FILE[copied..offset]);
            expected.extend(std::iter::repeat_n(1, nops));
            copied = offset + usize::from(replaces);
        }
        expected.extend_from_slice(&FILE[copied..]);
        let (out, points) = applied(&lists);
        prop_assert_eq!(&out, &expected);
        // Letters were copied.
        for (new, byte) in out.iter().enumerate().filter(|(_, byte)| **byte > 1) {
            prop_assert_eq!(points.original_offset(new).map(|old| FILE[old]), Some(*byte));
        }
    }
}
