//! Blocks that `realloc` makes larger: they move, and the old one goes into the quarantine. Where it stayed in its place,
//! what still uses the old pointer would be right by accident.

use wasm_encoder::{BlockType, Function, InstructionSink};

use crate::allocator::{Param, Role};
use crate::instrument::features::Features;
use crate::instrument::index_space::{Helper, IndexSpace};
use crate::instrument::inserted::{Inserted, Reached, Signature};
use crate::module::{Site, SiteKind};
use crate::prepared::Prepared;

/// Roles of functions of one allocator: what reallocates, allocates and frees the same blocks.
const FAMILIES: [[Role; 3]; 4] = [
    [Role::Realloc, Role::Malloc, Role::Free],
    [Role::RustRealloc, Role::RustAlloc, Role::RustDealloc],
    [Role::GlobalRealloc, Role::GlobalAlloc, Role::GlobalDealloc],
    [Role::MethodRealloc, Role::MethodMalloc, Role::MethodFree],
];

/// Makes a block larger in another place, if there is a block of at least one byte and it gets larger. The arguments are those
/// of the function that reallocates, and the bytes of the new block's redzone. Returns the new block, or 0: then
/// the old one is as it was.
pub(in crate::instrument) struct Move {
    function: u32,
    role: Role,
    allocate: (u32, Role),
    free: (u32, Role),
}

/// The functions that move blocks.
pub(super) fn functions(prepared: &Prepared<'_>) -> Vec<Box<dyn Inserted>> {
    let moves = moves(prepared).into_iter();
    moves.map(|of| -> Box<dyn Inserted> { Box::new(of) }).collect()
}

/// How blocks move, for each function that reallocates and has one partner of each kind. Where there are more, they may be of
/// other allocators.
pub(in crate::instrument) fn moves(prepared: &Prepared<'_>) -> Vec<Move> {
    let of = |roles: [Role; 3]| {
        let [reallocate, allocate, free] = roles.map(|role| only(prepared, role));
        let (function, role) = reallocate?;
        Some(Move { function, role, allocate: allocate?, free: free? })
    };
    FAMILIES.into_iter().filter_map(of).collect()
}

/// The function of a role, if there is one, or others that it calls in turn: `malloc` of wasi-libc only calls `dlmalloc`.
fn only(prepared: &Prepared<'_>, role: Role) -> Option<(u32, Role)> {
    let of_role = prepared.allocator().functions.iter().filter(|hooked| hooked.role == role);
    let functions: Vec<u32> = of_role.map(|hooked| hooked.function).collect();
    let is_called = |&function: &u32| {
        functions.iter().any(|&caller| {
            let body = prepared.module.functions[caller as usize].body.as_ref();
            let calls = |site: &Site| {
                site.kind == SiteKind::Call(function) || site.kind == SiteKind::ReturnCall(function)
            };
            caller != function && body.is_some_and(|body| body.sites.iter().any(calls))
        })
    };
    let mut first = functions.iter().filter(|function| !is_called(function));
    let only = *first.next()?;
    first.next().is_none().then_some((only, role))
}

impl Move {
    /// The function that reallocates.
    pub(in crate::instrument) fn function(&self) -> u32 {
        self.function
    }

    fn local(&self, param: Param) -> u32 {
        let position = self.role.params().iter().position(|p| *p == param);
        position.expect("roles of a family have the same parameters") as u32
    }

    /// Pushes the arguments of another function of the family.
    fn push_arguments(&self, role: Role, size: u32, code: &mut InstructionSink<'_>) {
        for &param in role.params() {
            code.local_get(if param == Param::Size { size } else { self.local(param) });
        }
    }
}

impl Inserted for Move {
    fn ty(&self, features: &Features) -> Signature {
        let params = vec![features.address; self.role.params().len() + 1];
        Signature::New(params, vec![features.address])
    }

    fn name(&self) -> String {
        format!("move a block of {}", self.role.name())
    }

    fn reached(&self) -> Reached {
        Reached::ByCode(Helper::Move(self.function))
    }

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        let redzone = self.role.params().len() as u32;
        let [old, new, with_redzone] = [1, 2, 3].map(|nth| redzone + nth);
        let [pointer, size] = [Param::Pointer, Param::Size].map(|param| self.local(param));
        let mut function = Function::new([(3, features.address)]);
        let mut code = function.instructions();
        let return_none = |code: &mut InstructionSink<'_>| {
            code.if_(BlockType::Empty);
            features.push_address(0, code);
            code.return_().end();
        };
        let push = |local: u32, code: &mut InstructionSink<'_>| {
            code.local_get(local);
            features.extend(code);
        };
        code.local_get(pointer).call(space.helper(Helper::Measure)).local_tee(old);
        features.eqz(&mut code);
        push(size, &mut code);
        push(old, &mut code);
        code.i64_le_u().i32_or();
        return_none(&mut code);
        code.local_get(size).local_get(redzone);
        features.add(&mut code);
        code.local_set(with_redzone);
        self.push_arguments(self.allocate.1, with_redzone, &mut code);
        code.call(space.moved(self.allocate.0)).local_tee(new);
        features.eqz(&mut code);
        // The function may not be what its name says.
        push(new, &mut code);
        features.push_memory_bytes(&mut code);
        push(old, &mut code);
        code.i64_sub().i64_gt_u().i32_or();
        return_none(&mut code);
        code.local_get(new).local_get(pointer).local_get(old).memory_copy(0, 0);
        self.push_arguments(self.free.1, size, &mut code);
        code.call(space.helper(Helper::Retire(self.free.0)));
        code.local_get(new).end();
        function.into_raw_body()
    }
}
