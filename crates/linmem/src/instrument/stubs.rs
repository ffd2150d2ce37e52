//! Stubs: the functions that the module calls instead of the imported ones that could keep an address.

use wasm_encoder::Function;

use super::boundary;
use super::features::Features;
use super::hooks::Hook;
use super::index_space::IndexSpace;
use super::inserted::{Inserted, Reached, Signature};
use super::offset_map::Origin;
use crate::module::Module;
use crate::prepared::Prepared;

/// The function that stands in for an imported one where the module calls it. For
/// `(func (param i32 f32))`:
///
/// ```wat
/// (func (param i32 f32)
///   (call $handed_out (local.get 0) 0 0 0)
///   (call $imported (local.get 0) (local.get 1)))
/// ```
struct Stub<'m> {
    module: &'m Module<'m>,
    /// The imported function.
    function: u32,
}

/// The stubs of a module. A hooked function has a wrapper instead.
pub(super) fn of<'m>(prepared: &'m Prepared<'_>) -> impl Iterator<Item = Box<dyn Inserted + 'm>> {
    let module = &prepared.module;
    let hooked = prepared.allocator().hooked();
    let imported = (0..module.imported_functions()).filter(move |function| {
        boundary::takes_addresses(module, *function) && !hooked.contains(function)
    });
    imported.map(|function| -> Box<dyn Inserted + 'm> { Box::new(Stub { module, function }) })
}

impl Inserted for Stub<'_> {
    fn ty(&self, _: &Features) -> Signature {
        Signature::Of(self.function)
    }

    fn name(&self) -> String {
        format!("import: {}", self.module.function_name(self.function).unwrap_or_default())
    }

    fn origin(&self) -> Origin {
        Origin::Added
    }

    fn reached(&self) -> Reached {
        Reached::AtCalls(self.function)
    }

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        let ty = boundary::type_of(self.module, self.function);
        let arguments = boundary::addresses(features, ty.params(), 0);
        let mut body = Function::new([]);
        let mut code = body.instructions();
        boundary::report(features, space, Hook::HandedOut, arguments, &mut code);
        boundary::push_params(ty, &mut code);
        features.call_last(space.moved(self.function), &mut code);
        code.end();
        body.into_raw_body()
    }
}
