//! Stubs: the functions that the module calls instead of the imported ones. The host may keep an address
//! that it is handed there, and may enter the module again before it comes back.

use std::collections::BTreeSet;

use wasm_encoder::{BlockType, Function, ValType};
use wasmparser::FuncType;

use super::boundary::{self, Values};
use super::features::Features;
use super::hooks::Hook;
use super::index_space::{AddedGlobal, IndexSpace};
use super::inserted::{Inserted, Reached, Signature};
use super::nested;
use super::offset_map::Origin;
use super::shadow;
use crate::language;
use crate::module::{Module, Site, SiteKind};
use crate::prepared::Prepared;

/// The function that stands in for an imported one where the module calls it. For
/// `(func (param i32 f32))`:
///
/// ```wat
/// (func (param i32 f32) (local $level i32) (local $depth i32)
///   global.get $level  local.tee $level  i32.const 1  i32.add  global.set $level
///   global.get $depth  local.set $depth
///   (call $handed_out (local.get 0) 0 0 0)
///   (call $imported (local.get 0) (local.get 1))
///   local.get $level  global.set $level
///   local.get $depth  global.set $depth
///   (i32.gt_s (global.get $deepest) (local.get $level))
///   if  ;; the host entered meanwhile
///     local.get $level  global.set $deepest
///     (call $resumed (local.get $level))
///   end)
/// ```
pub(super) struct Stub<'m, C> {
    pub(super) module: &'m Module<'m>,
    /// The imported function.
    pub(super) function: u32,
    /// Whether it stands in at tail calls. A chain of them through the host must not use more and more
    /// stack, so nothing can be done after the call, and the module does not wait for it.
    pub(super) at_tail_calls: bool,
    /// What it does.
    pub(super) content: C,
}

/// What a stub does: its code.
pub(super) trait Content: Copy {
    /// The code, declarations of locals included.
    fn body(self, stub: &Stub<'_, Self>, features: &Features, space: &IndexSpace) -> Vec<u8>;
}

/// A call of a function that may keep addresses and enter the module.
#[derive(Clone, Copy)]
struct HostCall {
    /// Where accesses are checked, whether all blocks of the heap are known.
    checks: Option<bool>,
    /// Whether entries may go untold.
    nests: bool,
}

/// The stubs of a module. WASI's functions neither keep an address nor enter the module.
pub(super) fn of<'m>(
    prepared: &'m Prepared<'_>,
    checks: Option<bool>,
    nests: bool,
) -> impl Iterator<Item = Box<dyn Inserted + 'm>> {
    let module = &prepared.module;
    with_content(prepared, move |f| (!module.is_of_wasi(f)).then_some(HostCall { checks, nests }))
}

/// Stubs of the imported functions for which there is something to do. A hooked one has a wrapper instead.
pub(super) fn with_content<'m, C: Content + 'm>(
    prepared: &'m Prepared<'_>,
    content: impl Fn(u32) -> Option<C> + 'm,
) -> impl Iterator<Item = Box<dyn Inserted + 'm>> {
    let module = &prepared.module;
    let hooked = prepared.allocator().hooked();
    let imported =
        (0..module.imported_functions()).filter(move |function| !hooked.contains(function));
    let imported = imported.filter_map(move |function| Some((function, content(function)?)));
    let tail_called = tail_called(module);
    imported.flat_map(move |(function, content)| {
        let stub = |at_tail_calls| -> Box<dyn Inserted + 'm> {
            Box::new(Stub { module, function, at_tail_calls, content })
        };
        let last = tail_called.contains(&function).then(|| stub(true));
        [stub(false)].into_iter().chain(last)
    })
}

/// The functions that the module calls by name with a tail call.
fn tail_called(module: &Module<'_>) -> BTreeSet<u32> {
    let bodies = module.functions.iter().filter_map(|function| function.body.as_ref());
    let sites = bodies.flat_map(|body| &body.sites);
    let callee = |site: &Site| match site.kind {
        SiteKind::ReturnCall(function) => Some(function),
        _ => None,
    };
    sites.filter_map(callee).collect()
}

impl<C: Content> Inserted for Stub<'_, C> {
    fn ty(&self, _: &Features) -> Signature {
        Signature::Of(self.function)
    }

    fn name(&self) -> String {
        let kind = if self.at_tail_calls { "tail-called import" } else { "import" };
        format!("{kind}: {}", self.module.function_name(self.function).unwrap_or_default())
    }

    fn origin(&self) -> Origin {
        Origin::Stub(self.function)
    }

    fn reached(&self) -> Reached {
        match self.at_tail_calls {
            true => Reached::AtTailCalls(self.function),
            false => Reached::AtCalls(self.function),
        }
    }

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        self.content.body(self, features, space)
    }
}

impl Content for HostCall {
    fn body(self, stub: &Stub<'_, Self>, features: &Features, space: &IndexSpace) -> Vec<u8> {
        let ty = boundary::type_of(stub.module, stub.function);
        let arguments = stub.handed_out(features, ty);
        if stub.at_tail_calls {
            return stub.handing_on(features, space, ty, arguments);
        }
        let level = ty.params().len() as u32;
        let depth = level + 1;
        let [levels, depths, deepest] =
            [AddedGlobal::Level, AddedGlobal::Depth, AddedGlobal::Deepest].map(|g| space.global(g));
        let kept = depth + 1;
        let locals = if self.nests { 2 + nested::LOCALS } else { 2 };
        let mut body = Function::new([(locals, ValType::I32)]);
        let mut code = body.instructions();
        code.global_get(levels).local_tee(level).i32_const(1).i32_add().global_set(levels);
        code.global_get(depths).local_set(depth);
        if self.checks == Some(true) {
            shadow::lend(space, arguments.clone(), &mut code);
        }
        boundary::report(features, space, Hook::HandedOut, arguments, &mut code);
        if self.nests {
            nested::keep(space, kept, &mut code);
        }
        boundary::push_params(ty, &mut code);
        code.call(space.moved(stub.function));
        if self.nests {
            nested::restore(space, kept, &mut code);
        }
        if self.checks.is_some() {
            shadow::resize(space, &mut code);
        }
        code.local_get(level).global_set(levels);
        code.local_get(depth).global_set(depths);
        code.global_get(deepest).local_get(level).i32_gt_s().if_(BlockType::Empty);
        code.local_get(level).global_set(deepest).local_get(level);
        space.call_hook(Hook::Resumed, &mut code);
        code.end();
        if self.checks == Some(true) {
            shadow::look_at_lent(space, &mut code);
        }
        code.end();
        body.into_raw_body()
    }
}

impl Stub<'_, HostCall> {
    /// The arguments that the host may keep.
    fn handed_out(&self, features: &Features, ty: &FuncType) -> Values {
        match self.module.function_import(self.function) {
            Some(import) if language::is_trampoline(import.name) => Vec::new().into_iter(),
            _ => boundary::addresses(features, ty.params(), 0),
        }
    }

    /// The body at tail calls.
    fn handing_on(
        &self,
        features: &Features,
        space: &IndexSpace,
        ty: &FuncType,
        arguments: Values,
    ) -> Vec<u8> {
        let mut body = Function::new([]);
        let mut code = body.instructions();
        boundary::report(features, space, Hook::HandedOut, arguments, &mut code);
        boundary::push_params(ty, &mut code);
        code.return_call(space.moved(self.function));
        code.end();
        body.into_raw_body()
    }
}
