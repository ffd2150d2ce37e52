//! Memory 0 as the program begins: what a module's data segments say.

use super::Module;

/// What the data segments put into memory 0: active ones, and passive ones that the module copies to a fixed place.
/// Around them all is zero.
#[derive(Debug)]
pub struct InitialMemory<'a> {
    /// By address.
    segments: Vec<Placed<'a>>,
    /// For each segment, the highest end of it and of those before it.
    reach: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Placed<'a> {
    start: u64,
    /// A later segment lies over an earlier one.
    order: usize,
    contents: &'a [u8],
}

impl Placed<'_> {
    fn end(&self) -> u64 {
        self.start.saturating_add(self.contents.len() as u64)
    }
}

impl<'a> InitialMemory<'a> {
    /// The memory of a module.
    pub fn of(module: &Module<'a>) -> InitialMemory<'a> {
        let placed = module.placed_data().enumerate().filter_map(|(order, (segment, start))| {
            Some(Placed { start, order, contents: module.bytes.get(segment.range.clone())? })
        });
        let mut segments: Vec<Placed<'_>> = placed.collect();
        segments.sort_by_key(|segment| segment.start);
        let highest = |highest: &mut u64, segment: &Placed<'_>| {
            *highest = segment.end().max(*highest);
            Some(*highest)
        };
        let reach = segments.iter().scan(0, highest).collect();
        InitialMemory { segments, reach }
    }

    /// The word of so many bytes that lies at an address, if a segment says something about it.
    pub fn word(&self, address: u64, bytes: u64) -> Option<u64> {
        let end = address.saturating_add(bytes);
        let after = self.segments.partition_point(|segment| segment.start < end);
        let reaching = (0..after).rev().take_while(|&index| self.reach[index] > address);
        let near = reaching.map(|index| self.segments[index]);
        let mut near: Vec<Placed<'_>> = near.filter(|segment| segment.end() > address).collect();
        near.sort_by_key(|segment| segment.order);
        let mut word = None;
        for Placed { start, contents, .. } in near {
            for place in 0..bytes {
                let offset = (address + place).checked_sub(start);
                let byte = offset.and_then(|offset| contents.get(usize::try_from(offset).ok()?));
                let Some(&byte) = byte else { continue };
                let shift = 8 * place;
                let others = word.unwrap_or(0) & !(0xff << shift);
                word = Some(others | u64::from(byte) << shift);
            }
        }
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The word at an address after these data segments.
    fn word(segments: &str, address: u64, bytes: u64) -> Option<u64> {
        let wasm = wat::parse_str(format!("(module (memory 1) {segments})")).unwrap();
        let module = Module::parse(&wasm).unwrap();
        InitialMemory::of(&module).word(address, bytes)
    }

    #[test]
    fn a_word_is_what_a_segment_says() {
        let data = r#"(data (i32.const 16) "\01\02\03\04\05\06\07\08")"#;
        assert_eq!(word(data, 16, 4), Some(0x0403_0201));
        assert_eq!(word(data, 16, 8), Some(0x0807_0605_0403_0201));
        assert_eq!(word(data, 22, 4), Some(0x0807), "half of it");
        assert_eq!(word(data, 14, 4), Some(0x0201_0000), "the other half");
        assert_eq!((word(data, 12, 4), word(data, 24, 4)), (None, None), "beside it");
        assert_eq!(word("", 16, 4), None);
    }

    #[test]
    fn a_later_segment_lies_over_an_earlier_one() {
        let long = r#"(data (i32.const 8) "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")"#;
        let short = r#"(data (i32.const 17) "b")"#;
        assert_eq!(word(&[long, short].concat(), 16, 4), Some(0x6161_6261));
        assert_eq!(word(&[short, long].concat(), 16, 4), Some(0x6161_6161));
        assert_eq!(word(&[long, short].concat(), 36, 4), Some(0x6161_6161), "behind the short one");
    }

    #[test]
    fn each_of_many_segments_is_found() {
        let segments: Vec<String> =
            (0..64).map(|n| format!(r#"(data (i32.const {}) "\{n:02x}")"#, 4096 - 8 * n)).collect();
        let segments = segments.concat();
        for n in 0..64 {
            assert_eq!(word(&segments, 4096 - 8 * n, 4), Some(n));
            assert_eq!(word(&segments, 4096 - 8 * n + 4, 4), None);
        }
    }

    #[test]
    fn what_code_copies_to_a_fixed_place_counts() {
        let copied = r#"(data $passive "\07\00\00\00") (func (export "start")
            (memory.init $passive (i32.const 64) (i32.const 0) (i32.const 4)))"#;
        assert_eq!(word(copied, 64, 4), Some(7));
    }
}
