//! What a language's start-up code allocates.

use crate::module::{Body, Module, Site, SiteKind};
use crate::trace::Frame;

/// What a language's start-up code allocates for the program's arguments, environment and
/// directories lives as long as the program. It is known by where it is allocated.
pub struct StartUp {
    /// Code between asking WASI for the sizes of a list and asking for the list: `(function,
    /// from, to)`, offsets in the file.
    between: Vec<(u32, usize, usize)>,
    /// Functions all of whose allocations are meant, and those of their callees: those that ask for the directories, and
    /// those that Emscripten calls in each thread that starts.
    whole: Vec<u32>,
}

/// What Emscripten's glue calls in each thread that starts: embind's registrations, and a copy of the module's variables. Of a
/// module that is linked at run time, nobody frees the copy when the thread ends.
const STARTS_OF_THREADS: [&str; 2] = ["_embind_initialize_bindings", "_emscripten_tls_init"];

impl StartUp {
    /// Callers between a function that asks for directories and the allocator.
    const DEPTH: usize = 5;

    /// Finds the start-up code of a module.
    pub fn new(module: &Module<'_>) -> StartUp {
        let asks = |name: &str| -> Vec<u32> {
            let imports: Vec<u32> = (0..module.imported_functions())
                .filter(|&f| module.function_import(f).is_some_and(|import| import.name == name))
                .collect();
            // wasi-libc calls an import through a function that does nothing else.
            let thin = callers(module, &imports).filter(|(_, body)| body.sites.len() == 1);
            imports.iter().copied().chain(thin.map(|(function, _)| function)).collect()
        };
        let mut between = Vec::new();
        for (sizes, list) in [("args_sizes_get", "args_get"), ("environ_sizes_get", "environ_get")]
        {
            let (sizes, list) = (asks(sizes), asks(list));
            for (function, body) in callers(module, &list) {
                let from = body.sites.iter().find(|site| calls(site, &sizes));
                let to = body.sites.iter().rfind(|site| calls(site, &list));
                if let (Some(from), Some(to)) = (from, to) {
                    between.push((function, from.offset, to.offset));
                }
            }
        }
        let exported: Vec<(&str, u32)> = module.exported_functions().collect();
        let prestat = asks("fd_prestat_get");
        let preopens = callers(module, &prestat).map(|(function, _)| function);
        let preopens = preopens.filter(|function| exported.iter().all(|(_, f)| f != function));
        let of_threads = exported.iter().filter(|(name, _)| STARTS_OF_THREADS.contains(name));
        let whole = preopens.chain(of_threads.map(|(_, function)| *function)).collect();
        StartUp { between, whole }
    }

    /// Whether this frame of another module is one of those that Emscripten's glue calls in each thread.
    pub fn is_of_thread(frame: &str) -> bool {
        let name = frame.split_once(" (").map(|(name, _)| name);
        name.is_some_and(|name| STARTS_OF_THREADS.contains(&name))
    }

    /// Whether start-up code allocates with this stack, of which `is_allocator` knows the
    /// innermost functions.
    pub fn allocates(&self, stack: &[Frame], is_allocator: impl Fn(u32) -> bool) -> bool {
        let frames = stack.iter().filter_map(|frame| match *frame {
            Frame::Wasm { function, offset } if !is_allocator(function) => Some((function, offset)),
            _ => None,
        });
        // A function of the allocator that was not recognised may stand between: `calloc`, optimised and without a name.
        frames.take(Self::DEPTH).any(|(function, offset)| {
            let offset = offset.unwrap_or_default() as usize;
            let inside = |(f, from, to): &(u32, usize, usize)| {
                *f == function && (*from..=*to).contains(&offset)
            };
            self.between.iter().any(inside) || self.whole.contains(&function)
        })
    }
}

/// The functions that call one of `callees` directly.
fn callers<'m>(module: &'m Module<'_>, callees: &[u32]) -> impl Iterator<Item = (u32, &'m Body)> {
    let functions = (0..).zip(&module.functions);
    let bodies = functions.filter_map(|(index, function)| Some((index, function.body.as_ref()?)));
    bodies.filter(|(_, body)| body.sites.iter().any(|site| calls(site, callees)))
}

fn calls(site: &Site, callees: &[u32]) -> bool {
    match site.kind {
        SiteKind::Call(callee) | SiteKind::ReturnCall(callee) => callees.contains(&callee),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `_start` asks for the sizes, allocates, asks for the arguments, and allocates again: which of the two stacks through
    /// these functions are start-up's.
    fn are_of_start_up(functions: &[u32]) -> [bool; 2] {
        let text = r#"(module
            (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "args_get" (func $list (param i32 i32) (result i32)))
            (func $malloc)
            (func $calloc (call $malloc))
            (func (export "_start")
              (drop (call $sizes (i32.const 0) (i32.const 0)))
              (call $calloc)
              (drop (call $list (i32.const 0) (i32.const 0)))
              (call $calloc)))"#;
        let wasm = wat::parse_str(text).unwrap();
        let module = Module::parse(&wasm).unwrap();
        let start_up = StartUp::new(&module);
        let sites = &module.functions[4].body.as_ref().unwrap().sites;
        let calls: Vec<_> = sites.iter().filter(|site| site.kind == SiteKind::Call(3)).collect();
        [0, 1].map(|nth| {
            let inner = functions.iter().map(|function| (*function, None));
            let frames = inner.chain([(4, Some(calls[nth].offset as u32))]);
            let frames = frames.map(|(function, offset)| Frame::Wasm { function, offset });
            start_up.allocates(&frames.collect::<Vec<_>>(), |function| function == 2)
        })
    }

    #[test]
    fn what_start_up_allocates_is_known_by_where_it_calls() {
        assert_eq!(are_of_start_up(&[2]), [true, false]);
        // A function of the allocator that has no name.
        assert_eq!(are_of_start_up(&[2, 3]), [true, false]);
    }

    #[test]
    fn what_embind_registers_in_a_thread_is_start_ups() {
        let text = r#"(module (func $malloc) (func $work (export "work"))
            (func $register (export "_embind_initialize_bindings") (call $malloc)))"#;
        let wasm = wat::parse_str(text).unwrap();
        let start_up = StartUp::new(&Module::parse(&wasm).unwrap());
        let allocates = |function| {
            let frames = [0, function].map(|function| Frame::Wasm { function, offset: None });
            start_up.allocates(&frames, |function| function == 0)
        };
        assert_eq!([1, 2].map(allocates), [false, true]);
    }
}
