//! Guests for the tests: an allocator in a few lines of WAT, in which everything can be chosen.

use serde::Deserialize;
use wasmtime::{Engine, Instance, Module, Store};

/// How the allocator behaves; `testdata/README.md` says what each field means.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Allocator {
    pub pages: u64,
    pub maximum: Option<u64>,
    pub base: u64,
    pub fails: bool,
    #[serde(rename = "growBy")]
    pub grow_by: u64,
    pub unchecked: bool,
}

impl Default for Allocator {
    fn default() -> Allocator {
        let (pages, base) = (1, 1024);
        Allocator { pages, maximum: None, base, fails: false, grow_by: 0, unchecked: false }
    }
}

/// The functions of the allocator, and the global `live`: how many blocks were not freed.
const ALLOCATOR: &str = r#"
    (memory (export "memory") ADDRESS PAGES)
    (global $next (mut i64) (i64.const BASE))
    (global $live (export "live") (mut i32) (i32.const 0))
    (func $allocate (param $size ADDRESS) (result ADDRESS)
      (local $block i64) (local $end i64)
      (if (i32.const FAILS) (then (return (ADDRESS.const 0))))
      (drop (memory.grow (ADDRESS.const GROW_BY)))
      (local.set $block (global.get $next))
      (local.set $end (i64.add (local.get $block) WIDE_SIZE))
      (if (i32.eqz (i32.const UNCHECKED)) (then
        (if (i64.gt_u (local.get $end) (i64.mul WIDE_PAGES (i64.const 65536))) (then
          (if (ADDRESS.eq (ADDRESS.const -1) (memory.grow MISSING_PAGES))
            (then (return (ADDRESS.const 0))))))))
      (global.set $next
        (i64.and (i64.add (local.get $end) (i64.const 15)) (i64.const -16)))
      (global.set $live (i32.add (global.get $live) (i32.const 1)))
      BLOCK)
    (func $release (param $block ADDRESS)
      (global.set $live (i32.sub (global.get $live) (i32.const 1))))"#;

/// The exports `malloc` and `free`.
pub const MALLOC_FREE: &str = r#"
    (export "malloc" (func $allocate))
    (export "free" (func $release))"#;

impl Allocator {
    /// A module with the allocator, and `rest` with its exports.
    pub fn module(&self, address: &str, rest: &str) -> String {
        let missing = "(i64.sub (i64.shr_u (i64.add (local.get $end) (i64.const 65535)) \
                       (i64.const 16)) WIDE_PAGES)";
        let [wide_size, wide_pages, missing_pages, block] = match address {
            "i32" => [
                "(i64.extend_i32_u (local.get $size))",
                "(i64.extend_i32_u (memory.size))",
                &format!("(i32.wrap_i64 {missing})"),
                "(i32.wrap_i64 (local.get $block))",
            ],
            _ => ["(local.get $size)", "(memory.size)", missing, "(local.get $block)"],
        };
        let maximum = self.maximum.map_or(String::new(), |pages| format!(" {pages}"));
        format!("(module {ALLOCATOR} {rest})")
            .replace(
                "(memory (export \"memory\") ADDRESS",
                &format!("(memory (export \"memory\") {address}"),
            )
            .replace(" PAGES)", &format!(" {}{maximum})", self.pages))
            .replace("BASE", &self.base.to_string())
            .replace("FAILS", &i32::from(self.fails).to_string())
            .replace("GROW_BY", &self.grow_by.to_string())
            .replace("UNCHECKED", &i32::from(self.unchecked).to_string())
            .replace("WIDE_SIZE", wide_size)
            .replace("MISSING_PAGES", missing_pages)
            .replace("WIDE_PAGES", wide_pages)
            .replace("BLOCK)", &format!("{block})"))
            .replace("ADDRESS", address)
    }
}

/// A running instance.
pub struct Guest {
    pub store: Store<()>,
    pub instance: Instance,
}

impl Guest {
    /// Instantiates a module that imports nothing.
    pub fn new(engine: &Engine, wat: &str) -> Guest {
        let module = Module::new(engine, wat::parse_str(wat).unwrap()).unwrap();
        let mut store = Store::new(engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        Guest { store, instance }
    }

    /// Blocks that were not freed.
    pub fn live(&mut self) -> i32 {
        let live = self.instance.get_global(&mut self.store, "live").unwrap();
        live.get(&mut self.store).unwrap_i32()
    }

    /// The memory.
    #[allow(dead_code, reason = "not every test looks into it")]
    pub fn memory(&mut self) -> &mut [u8] {
        let memory = self.instance.get_memory(&mut self.store, "memory").unwrap();
        memory.data_mut(&mut self.store)
    }
}
