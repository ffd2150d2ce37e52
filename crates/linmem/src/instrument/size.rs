//! The size of memory 0 as the module sees it, for the host to compare with what it sees itself.

use wasm_encoder::Function;

use super::features::Features;
use super::hooks;
use super::index_space::IndexSpace;
use super::inserted::{Inserted, Reached, Signature};

/// `(func (export "linmem.memory.size") (result $pages) memory.size)`
pub(super) struct Size;

impl Inserted for Size {
    fn ty(&self, features: &Features) -> Signature {
        Signature::New(vec![], vec![features.address])
    }

    fn name(&self) -> String {
        "memory.size".to_owned()
    }

    fn reached(&self) -> Reached {
        Reached::ByExport(hooks::SIZE_EXPORT)
    }

    fn body(&self, _: &Features, _: &IndexSpace) -> Vec<u8> {
        let mut function = Function::new([]);
        function.instructions().memory_size(0).end();
        function.into_raw_body()
    }
}
