//! Ways to damage a file.

/// Numbers that look random: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
pub struct Bits(pub u64);

impl Bits {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Copies of a file, each with up to four bytes changed. The bytes lie before `end`, which spares
/// long runs of contents in which a change means nothing.
pub fn flipped(file: &[u8], end: usize, copies: u64) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..copies).map(move |seed| {
        let mut bits = Bits(seed);
        let mut copy = file.to_vec();
        for _ in 0..=bits.next() % 4 {
            let at = bits.next() as usize % end;
            // Single bits, and the values that numbers in these formats turn on.
            copy[at] = match bits.next() % 4 {
                0 => 0xff,
                1 => 0x00,
                2 => copy[at] ^ (1 << (bits.next() % 8)),
                _ => bits.next() as u8,
            };
        }
        copy
    })
}

/// What a recording says of an allocator of which nothing was found.
pub const NO_ALLOCATOR: &str = r#"{"functions":[],"unseen":[],"notes":[],"candidates":[]}"#;
