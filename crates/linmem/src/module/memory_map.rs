//! Where a linker put things in linear memory: a module in, address ranges out.
//!
//! `wasm-ld` lays memory out as static data, shadow stack, heap; with `--stack-first` (Rust, and
//! newer versions) as shadow stack, static data, heap. The shadow stack grows down from the
//! initial value of the stack pointer global.

use crate::module::{Module, PAGE_BYTES};

/// `wasm-ld` gives the shadow stack this many bytes unless it is told otherwise.
const DEFAULT_STACK_BYTES: u64 = 64 * 1024;

/// Where things lie in memory 0, as far as the module says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryMap {
    /// From the first data segment whose place is known to the end of the last.
    pub data: Option<AddressRange>,
    /// The shadow stack.
    pub stack: Option<ShadowStack>,
    /// Where the heap begins, if that is known.
    pub heap_base: Option<u64>,
    /// Bytes in the initial pages from the heap's beginning on.
    pub initial_room: Option<u64>,
}

/// Addresses from `start` to before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddressRange {
    /// First address.
    pub start: u64,
    /// Address after the last.
    pub end: u64,
}

/// A shadow stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShadowStack {
    /// Index of the global that is its pointer.
    pub pointer: u32,
    /// Where it lies. Where it stands behind the data, its low end is not written down anywhere:
    /// `wasm-ld`'s default size is taken.
    pub range: AddressRange,
    /// Whether it stands before the data.
    pub is_first: bool,
}

impl MemoryMap {
    /// Reads the map off a module.
    pub(crate) fn of(module: &Module<'_>) -> MemoryMap {
        let data = module.first_data_address().zip(module.data_end());
        let data = data.map(|(start, end)| AddressRange { start, end });
        let stack = stack(module);
        // Behind a stack that stands behind the data, the heap begins at once.
        let behind_stack = stack.filter(|stack| !stack.is_first).map(|stack| stack.range.end);
        let heap_base = module.named_address("__heap_base").or(behind_stack);
        let memory_end = module.memories.first().map(|memory| memory.initial_pages);
        let memory_end = memory_end.and_then(|pages| pages.checked_mul(PAGE_BYTES));
        let initial_room = memory_end.zip(heap_base);
        MemoryMap {
            data,
            stack,
            heap_base,
            initial_room: initial_room.map(|(end, base)| end.saturating_sub(base)),
        }
    }
}

fn stack(module: &Module<'_>) -> Option<ShadowStack> {
    let pointer = module.stack_pointer()?;
    let top = module.globals.get(pointer as usize)?.init?;
    let has_data = module.data.iter().any(|segment| segment.len > 0);
    // Where the place of the data is not known, neither is on which side of it the stack is.
    let data_end = module.data_end().or((!has_data).then_some(0))?;
    let is_first = top < data_end;
    let low = if is_first { 0 } else { data_end.max(top.saturating_sub(DEFAULT_STACK_BYTES)) };
    Some(ShadowStack { pointer, range: AddressRange { start: low.min(top), end: top }, is_first })
}

#[cfg(test)]
mod tests {
    use super::MemoryMap;
    use crate::module::Module;

    /// Emscripten's old compiler had the stack grow up from the pointer's first value, and the heap behind it.
    #[test]
    fn a_stack_that_grows_up_is_none_that_grows_down() {
        let map = |code: &str| {
            let text = format!(
                r#"(module (memory 256) (global (mut i32) (i32.const 4096)) (data (i32.const 1024) "data")
                     (func (param i32) (local i32) {code}))"#
            );
            MemoryMap::of(&Module::parse(&wat::parse_str(text).unwrap()).unwrap())
        };
        let down = "(global.set 0 (local.tee 1 (i32.sub (global.get 0) (i32.const 16))))";
        let back = ["(local.get 1)", "(global.get 0)"];
        for back in back.map(|from| format!("(global.set 0 (i32.add {from} (i32.const 16)))")) {
            assert_eq!(map(&format!("{down} {back}")).heap_base, Some(4096), "{back}");
        }
        let up = [
            "(local.set 1 (global.get 0)) (global.set 0 (i32.add (global.get 0) (i32.const 16)))",
            "(global.set 0 (i32.add (local.tee 1 (global.get 0)) (i32.const 16)))",
        ];
        for code in up {
            let map = map(code);
            assert_eq!((map.stack, map.heap_base), (None, None), "{code}");
        }
    }
}
