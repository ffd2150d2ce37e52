//! Checks of what the module hands to WASI: the ranges that a call reads and writes.
//!
//! They are those of `wasi_snapshot_preview1`, as its witx files have them. Of most calls an argument says how long
//! a range is; some take vectors of ranges, which are in memory themselves.

use wasm_encoder::{BlockType, Function, InstructionSink, MemArg, ValType};

use super::canaries;
use crate::instrument::boundary;
use crate::instrument::features::Features;
use crate::instrument::index_space::{Helper, IndexSpace};
use crate::instrument::inserted::{Inserted, Reached, Signature};
use crate::instrument::stubs::{self, Content, Stub};
use crate::module::Module;
use crate::prepared::Prepared;
use crate::trace::AccessedBy;

const MODULE: &str = "wasi_snapshot_preview1";

/// A range that a call reads or writes: which argument is its address, how long it is, and which it does.
#[derive(Debug, Clone, Copy)]
struct Range(u32, Length, AccessedBy);

/// How long a range is.
#[derive(Debug, Clone, Copy)]
enum Length {
    /// So many bytes.
    Fixed(i32),
    /// As many bytes as this argument says.
    Bytes(u32),
    /// As many elements of so many bytes as this argument says.
    Elements(u32, i32),
    /// It is a vector: as many pairs of an address and a length as this argument says.
    Vector(u32),
    /// Not said: only its end can be looked at, after the call.
    Unsaid,
}

use AccessedBy::{ReadByImport as R, WrittenByImport as W};
use Length::{Bytes, Elements, Fixed, Unsaid, Vector};

/// A function of WASI: its parameters, a letter for each (`i` for 32 bits and `I` for 64), and what it reads and writes.
#[rustfmt::skip]
fn function_of_wasi(name: &str) -> Option<(&'static str, &'static [Range])> {
    Some(match name {
        "args_get" | "environ_get" => ("ii", &[Range(0, Unsaid, W), Range(1, Unsaid, W)]),
        "args_sizes_get" | "environ_sizes_get" => ("ii", &[Range(0, Fixed(4), W), Range(1, Fixed(4), W)]),
        "clock_res_get" | "fd_prestat_get" | "fd_tell" => ("ii", &[Range(1, Fixed(8), W)]),
        "clock_time_get" => ("iIi", &[Range(2, Fixed(8), W)]),
        "fd_fdstat_get" => ("ii", &[Range(1, Fixed(24), W)]),
        "fd_filestat_get" => ("ii", &[Range(1, Fixed(64), W)]),
        "fd_read" => ("iiii", &[Range(1, Vector(2), W), Range(3, Fixed(4), W)]),
        "fd_write" => ("iiii", &[Range(1, Vector(2), R), Range(3, Fixed(4), W)]),
        "fd_pread" => ("iiiIi", &[Range(1, Vector(2), W), Range(4, Fixed(4), W)]),
        "fd_pwrite" => ("iiiIi", &[Range(1, Vector(2), R), Range(4, Fixed(4), W)]),
        "fd_prestat_dir_name" => ("iii", &[Range(1, Bytes(2), W)]),
        "fd_readdir" => ("iiiIi", &[Range(1, Bytes(2), W), Range(4, Fixed(4), W)]),
        "fd_seek" => ("iIii", &[Range(3, Fixed(8), W)]),
        "path_create_directory" | "path_remove_directory" | "path_unlink_file" => ("iii", &[Range(1, Bytes(2), R)]),
        "path_filestat_get" => ("iiiii", &[Range(2, Bytes(3), R), Range(4, Fixed(64), W)]),
        "path_filestat_set_times" => ("iiiiIIi", &[Range(2, Bytes(3), R)]),
        "path_link" => ("iiiiiii", &[Range(2, Bytes(3), R), Range(5, Bytes(6), R)]),
        "path_open" => ("iiiiiIIii", &[Range(2, Bytes(3), R), Range(8, Fixed(4), W)]),
        "path_readlink" => ("iiiiii", &[Range(1, Bytes(2), R), Range(3, Bytes(4), W), Range(5, Fixed(4), W)]),
        "path_rename" => ("iiiiii", &[Range(1, Bytes(2), R), Range(4, Bytes(5), R)]),
        "path_symlink" => ("iiiii", &[Range(0, Bytes(1), R), Range(3, Bytes(4), R)]),
        "poll_oneoff" => ("iiii", &[Range(0, Elements(2, 48), R), Range(1, Elements(2, 32), W), Range(3, Fixed(4), W)]),
        "random_get" => ("ii", &[Range(0, Bytes(1), W)]),
        "sock_accept" => ("iii", &[Range(2, Fixed(4), W)]),
        "sock_recv" => ("iiiiii", &[Range(1, Vector(2), W), Range(4, Fixed(4), W), Range(5, Fixed(2), W)]),
        "sock_send" => ("iiiii", &[Range(1, Vector(2), R), Range(4, Fixed(4), W)]),
        _ => return None,
    })
}

/// The calls of an imported function, if it is one of WASI's and has the type that it has there. Emscripten's glue
/// takes 64 bits as two parameters, the lower half first.
fn calls_of(module: &Module<'_>, function: u32, knows_heap: bool) -> Option<WasiCall> {
    let import = module.function_import(function).filter(|import| import.module == MODULE)?;
    let (params, ranges) = function_of_wasi(import.name)?;
    let is_of = |letters: &str| {
        let ty = boundary::type_of(module, function).params().iter();
        let is_given = |(param, letter): (&wasmparser::ValType, char)| match letter {
            'I' => *param == wasmparser::ValType::I64,
            _ => *param == wasmparser::ValType::I32,
        };
        ty.len() == letters.len() && ty.zip(letters.chars()).all(is_given)
    };
    let in_halves = !is_of(params);
    let fits = !in_halves || is_of(&params.replace('I', "ii"));
    let is_known = fits && !module.memories[0].is_64;
    is_known.then_some(WasiCall { params, ranges, in_halves, knows_heap })
}

/// The functions that stand in for WASI's where the module calls them, and what they need.
pub(super) fn functions<'m>(
    prepared: &'m Prepared<'_>,
    knows_heap: bool,
) -> Vec<Box<dyn Inserted + 'm>> {
    let content = move |function| calls_of(&prepared.module, function, knows_heap);
    let mut functions: Vec<_> = stubs::with_content(prepared, content).collect();
    if !functions.is_empty() {
        functions.push(Box::new(CheckVector));
    }
    functions
}

/// A call of a function of WASI.
#[derive(Clone, Copy)]
struct WasiCall {
    /// A letter for each parameter of WASI's.
    params: &'static str,
    ranges: &'static [Range],
    /// Whether 64 bits are two parameters.
    in_halves: bool,
    knows_heap: bool,
}

impl Content for WasiCall {
    fn body(self, stub: &Stub<'_, Self>, _: &Features, space: &IndexSpace) -> Vec<u8> {
        let mut function = Function::new([]);
        let mut code = function.instructions();
        for range in self.ranges {
            self.check(stub.function, *range, space, &mut code);
        }
        boundary::push_params(boundary::type_of(stub.module, stub.function), &mut code);
        if stub.at_tail_calls {
            code.return_call(space.moved(stub.function));
        } else {
            code.call(space.moved(stub.function));
            if self.has_unsaid() {
                canaries::look_at_lent(space, &mut code);
            }
        }
        code.end();
        function.into_raw_body()
    }
}

impl WasiCall {
    /// Whether there are ranges whose length nothing says, and their blocks are known.
    fn has_unsaid(self) -> bool {
        self.knows_heap && self.ranges.iter().any(|range| matches!(range.1, Unsaid))
    }

    /// The parameter of the import that is this one of WASI's.
    fn place(self, param: u32) -> u32 {
        let before = self.params.chars().take(param as usize);
        let halved = before.filter(|letter| self.in_halves && *letter == 'I');
        param + halved.count() as u32
    }

    fn check(self, import: u32, range: Range, space: &IndexSpace, code: &mut InstructionSink<'_>) {
        let Range(address, length, by) = range;
        let address = self.place(address);
        if let Unsaid = length {
            if self.knows_heap {
                code.local_get(address).call(space.helper(Helper::Lend));
            }
            return;
        }
        code.i32_const(import as i32).local_get(address);
        match length {
            Fixed(bytes) => code.i32_const(bytes),
            Bytes(param) | Vector(param) => code.local_get(self.place(param)),
            Elements(param, bytes) => code.local_get(self.place(param)).i32_const(bytes).i32_mul(),
            Unsaid => code,
        };
        code.i32_const(by as i32);
        code.call(space.helper(match length {
            Vector(_) => Helper::CheckVector,
            _ => Helper::CheckRange,
        }));
    }
}

/// Checks a vector of ranges, and each of them: `(function, address, count, AccessedBy)`.
struct CheckVector;

impl Inserted for CheckVector {
    is!("check a vector", Reached::ByCode(Helper::CheckVector), |_address| [ValType::I32, ValType::I32, ValType::I32, ValType::I32] -> []);

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        const FUNCTION: u32 = 0;
        const ADDRESS: u32 = 1;
        const COUNT: u32 = 2;
        const BY: u32 = 3;
        const ELEMENT_BYTES: i32 = 8;
        let word = |offset| MemArg { offset, align: 0, memory_index: 0 };
        let mut function = Function::new([]);
        let mut code = function.instructions();
        code.local_get(FUNCTION).local_get(ADDRESS);
        code.local_get(COUNT).i32_const(ELEMENT_BYTES).i32_mul();
        code.i32_const(R as i32).call(space.helper(Helper::CheckRange));
        // What is said to be outside cannot be read.
        code.local_get(ADDRESS).i64_extend_i32_u();
        code.local_get(COUNT)
            .i64_extend_i32_u()
            .i64_const(ELEMENT_BYTES.into())
            .i64_mul()
            .i64_add();
        features.push_memory_bytes(&mut code);
        code.i64_gt_u().if_(BlockType::Empty).return_().end();
        code.block(BlockType::Empty).loop_(BlockType::Empty);
        code.local_get(COUNT).i32_eqz().br_if(1);
        code.local_get(FUNCTION).local_get(ADDRESS).i32_load(word(0));
        code.local_get(ADDRESS).i32_load(word(4)).local_get(BY);
        code.call(space.helper(Helper::CheckRange));
        code.local_get(ADDRESS).i32_const(ELEMENT_BYTES).i32_add().local_set(ADDRESS);
        code.local_get(COUNT).i32_const(1).i32_sub().local_set(COUNT);
        code.br(0).end().end().end();
        function.into_raw_body()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where an import has the address of what `fd_seek` of this type writes; none where it is not WASI's.
    fn address_in(params: &str) -> Option<u32> {
        let wasm = wat::parse_str(format!(
            r#"(module
                 (import "wasi_snapshot_preview1" "fd_seek" (func (param {params}) (result i32)))
                 (memory 1))"#
        ));
        let wasm = wasm.unwrap();
        let call = calls_of(&Module::parse(&wasm).unwrap(), 0, true)?;
        let [Range(address, ..)] = call.ranges else { panic!("{:?}", call.ranges) };
        Some(call.place(*address))
    }

    #[test]
    fn sixty_four_bits_may_be_two_parameters() {
        assert_eq!(address_in("i32 i64 i32 i32"), Some(3));
        assert_eq!(address_in("i32 i32 i32 i32 i32"), Some(4));
        for other in ["i32 i32 i32 i32", "i32 i64 i32", "i32 i64 i32 f32", "i32 i64 i32 i32 i32"] {
            assert_eq!(address_in(other), None, "{other}");
        }
    }
}
