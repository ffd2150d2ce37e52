//! From an instrumented module back to the original: function indices and code offsets.

use wasmparser::{Parser, Payload};

use crate::error::Result;
use crate::module::Module;

/// The way back from an instrumented module to the original.
#[derive(Debug, Clone, Default)]
pub struct OffsetMap {
    /// By function index of the instrumented module.
    origins: Vec<Origin>,
    /// `(offset in the instrumented file, offset in the original file)`, sorted; between two
    /// points both advance alike.
    points: Vec<(usize, usize)>,
}

/// Where a function of an instrumented module comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It is this function of the original.
    Function(u32),
    /// It stands in for this allocator function of the original.
    Wrapper(u32),
    /// The original has nothing like it.
    Added,
}

impl OffsetMap {
    /// The map of a module that was left as it is.
    pub fn identity(module: &Module<'_>) -> OffsetMap {
        let origins = (0..module.functions.len() as u32).map(Origin::Function).collect();
        OffsetMap { origins, points: vec![(0, 0)] }
    }

    /// Puts the points of each body, which count from the body's start, where the bodies lie in
    /// the instrumented file.
    pub(super) fn new(
        wasm: &[u8],
        origins: Vec<Origin>,
        points_of_bodies: Vec<Vec<(usize, usize)>>,
    ) -> Result<OffsetMap> {
        let mut bodies = points_of_bodies.into_iter();
        let mut points = Vec::new();
        for payload in Parser::new(0).parse_all(wasm) {
            if let Payload::CodeSectionEntry(body) = payload? {
                let start = body.range().start;
                let of_body = bodies.next().unwrap_or_default();
                points.extend(of_body.into_iter().map(|(new, old)| (start + new, old)));
            }
        }
        Ok(OffsetMap { origins, points })
    }

    /// Where each function of the instrumented module comes from, in their order.
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// `(offset in the instrumented file, offset in the original file)`, sorted; between two points
    /// both advance alike.
    pub fn points(&self) -> &[(usize, usize)] {
        &self.points
    }

    /// Where a function of the instrumented module comes from.
    pub fn origin(&self, function: u32) -> Origin {
        self.origins.get(function as usize).copied().unwrap_or(Origin::Added)
    }

    /// The offset in the original file of an instruction that was copied from it, given its
    /// offset in the instrumented file.
    pub fn original_offset(&self, offset: usize) -> Option<usize> {
        let after = self.points.partition_point(|&(new, _)| new <= offset);
        let (new, old) = self.points[after.checked_sub(1)?];
        Some(old + (offset - new))
    }
}
