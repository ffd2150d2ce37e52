//! What allocator functions do: roles, what their parameters mean, and what a call does to the heap.

use std::fmt;

use serde::{Deserialize, Serialize};
use wasmparser::ValType;

/// What an allocator function does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// `malloc(size) -> pointer`
    Malloc,
    /// `calloc(count, size) -> pointer`
    Calloc,
    /// `realloc(pointer, new_size) -> pointer`
    Realloc,
    /// `reallocarray(pointer, count, size) -> pointer`
    ReallocArray,
    /// `free(pointer)`
    Free,
    /// `aligned_alloc(alignment, size) -> pointer`
    AlignedAlloc,
    /// `posix_memalign(pointer to result, alignment, size) -> error`
    PosixMemalign,
    /// `__rust_alloc(size, alignment) -> pointer`
    RustAlloc,
    /// `__rust_dealloc(pointer, size, alignment)`
    RustDealloc,
    /// `__rust_realloc(pointer, old_size, alignment, new_size) -> pointer`
    RustRealloc,
    /// `cabi_realloc(pointer, old_size, alignment, new_size) -> pointer`
    CabiRealloc,
    /// `__wbindgen_realloc(pointer, old_size, new_size, alignment) -> pointer`
    WbindgenRealloc,
    /// `dealloc(pointer, size)`
    SizedFree,
    /// `GlobalAlloc::alloc(self, alignment, size) -> pointer`: Rust lays out a `Layout` in this order
    GlobalAlloc,
    /// `GlobalAlloc::dealloc(self, pointer, alignment, size)`
    GlobalDealloc,
    /// `GlobalAlloc::realloc(self, pointer, alignment, old_size, new_size) -> pointer`
    GlobalRealloc,
    /// `malloc(self, size) -> pointer`
    MethodMalloc,
    /// `free(self, pointer)`
    MethodFree,
    /// `realloc(self, pointer, new_size) -> pointer`
    MethodRealloc,
    /// `operator new(size, nothrow) -> pointer`
    NothrowNew,
    /// `posix_memalign(pointer to result, size) -> error`, where all calls ask for the same alignment, so that the compiler has
    /// dropped it
    FixedMemalign,
}

/// What one parameter of an allocator function means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Param {
    /// Bytes asked for.
    Size,
    /// Elements asked for; the size of each is in `Size`.
    Count,
    /// Alignment in bytes.
    Align,
    /// The block that is freed or resized.
    Pointer,
    /// The block's size, as its owner remembers it.
    OldSize,
    /// Where `posix_memalign` stores its result.
    ResultAddress,
    /// The allocator itself.
    Itself,
    /// C++'s `std::nothrow`, which only tells functions apart.
    Nothrow,
}

/// What calling an allocator function does to the heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// A new block.
    Allocates,
    /// A block is gone.
    Frees,
    /// A block is resized, perhaps moved.
    Reallocates,
}

/// Functions that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    /// Those of C.
    C,
    /// Those that are told the sizes of blocks.
    Sized,
    /// Methods of an allocator.
    Method,
}

impl Role {
    /// Every role, in the order in which reports list them.
    pub const ALL: [Role; 21] = [
        Role::Malloc,
        Role::Calloc,
        Role::Realloc,
        Role::ReallocArray,
        Role::Free,
        Role::AlignedAlloc,
        Role::PosixMemalign,
        Role::RustAlloc,
        Role::RustDealloc,
        Role::RustRealloc,
        Role::CabiRealloc,
        Role::WbindgenRealloc,
        Role::SizedFree,
        Role::GlobalAlloc,
        Role::GlobalDealloc,
        Role::GlobalRealloc,
        Role::MethodMalloc,
        Role::MethodFree,
        Role::MethodRealloc,
        Role::NothrowNew,
        Role::FixedMemalign,
    ];

    /// The parameters, in order.
    pub(crate) fn params(self) -> &'static [Param] {
        use Param::{Align, Count, Itself, Nothrow, OldSize, Pointer, ResultAddress, Size};
        match self {
            Role::Malloc => &[Size],
            Role::Calloc => &[Count, Size],
            Role::Realloc => &[Pointer, Size],
            Role::ReallocArray => &[Pointer, Count, Size],
            Role::Free => &[Pointer],
            Role::AlignedAlloc => &[Align, Size],
            Role::PosixMemalign => &[ResultAddress, Align, Size],
            Role::RustAlloc => &[Size, Align],
            Role::RustDealloc => &[Pointer, OldSize, Align],
            Role::RustRealloc | Role::CabiRealloc => &[Pointer, OldSize, Align, Size],
            Role::WbindgenRealloc => &[Pointer, OldSize, Size, Align],
            Role::SizedFree => &[Pointer, OldSize],
            Role::GlobalAlloc => &[Itself, Align, Size],
            Role::GlobalDealloc => &[Itself, Pointer, Align, OldSize],
            Role::GlobalRealloc => &[Itself, Pointer, Align, OldSize, Size],
            Role::MethodMalloc => &[Itself, Size],
            Role::MethodFree => &[Itself, Pointer],
            Role::MethodRealloc => &[Itself, Pointer, Size],
            Role::NothrowNew => &[Size, Nothrow],
            Role::FixedMemalign => &[ResultAddress, Size],
        }
    }

    /// Whether it returns an error's number, and stores the block's address where an argument says.
    pub(crate) fn stores_result(self) -> bool {
        self.params().contains(&Param::ResultAddress)
    }

    /// What a call does to the heap.
    pub(crate) fn effect(self) -> Effect {
        match self {
            Role::Free
            | Role::RustDealloc
            | Role::SizedFree
            | Role::GlobalDealloc
            | Role::MethodFree => Effect::Frees,
            Role::GlobalRealloc
            | Role::MethodRealloc
            | Role::Realloc
            | Role::ReallocArray
            | Role::RustRealloc
            | Role::CabiRealloc
            | Role::WbindgenRealloc => Effect::Reallocates,
            _ => Effect::Allocates,
        }
    }

    /// Whether it can make a block where there was none: `realloc(NULL, size)` does.
    pub(super) fn allocates(self) -> bool {
        self.effect() == Effect::Allocates
            || matches!(self, Role::Realloc | Role::ReallocArray | Role::CabiRealloc)
    }

    /// What a function of this role is given and returns, as a user reads it: `malloc(size) -> pointer`.
    pub fn signature(self) -> String {
        let resizes =
            self.effect() == Effect::Reallocates && self.params().contains(&Param::OldSize);
        let params = self.params().iter().map(|param| match param {
            Param::Size if resizes => "new size",
            Param::Size => "size",
            Param::Count => "count",
            Param::Align => "alignment",
            Param::Pointer => "pointer",
            Param::OldSize if resizes => "old size",
            Param::OldSize => "size",
            Param::ResultAddress => "pointer to result",
            Param::Itself => "self",
            Param::Nothrow => "nothrow",
        });
        let result = match self.effect() {
            _ if self.stores_result() => " -> error",
            Effect::Frees => "",
            _ => " -> pointer",
        };
        format!("{}({}){result}", self.name(), params.collect::<Vec<_>>().join(", "))
    }

    /// Which functions belong together: what one of a layer allocates, another one of it frees.
    pub(super) fn layer(self) -> Layer {
        match self {
            Role::Malloc
            | Role::Calloc
            | Role::Realloc
            | Role::ReallocArray
            | Role::Free
            | Role::AlignedAlloc
            | Role::PosixMemalign
            | Role::NothrowNew
            | Role::FixedMemalign => Layer::C,
            Role::MethodMalloc | Role::MethodFree | Role::MethodRealloc => Layer::Method,
            _ => Layer::Sized,
        }
    }

    /// The name a user knows the role by: that of the function which plays it most often.
    pub fn name(self) -> &'static str {
        match self {
            Role::Malloc => "malloc",
            Role::Calloc => "calloc",
            Role::Realloc => "realloc",
            Role::ReallocArray => "reallocarray",
            Role::Free => "free",
            Role::AlignedAlloc => "aligned_alloc",
            Role::PosixMemalign => "posix_memalign",
            Role::RustAlloc => "rust_alloc",
            Role::RustDealloc => "rust_dealloc",
            Role::RustRealloc => "rust_realloc",
            Role::CabiRealloc => "cabi_realloc",
            Role::WbindgenRealloc => "wbindgen_realloc",
            Role::SizedFree => "sized_free",
            Role::GlobalAlloc => "global_alloc",
            Role::GlobalDealloc => "global_dealloc",
            Role::GlobalRealloc => "global_realloc",
            Role::MethodMalloc => "method_malloc",
            Role::MethodFree => "method_free",
            Role::MethodRealloc => "method_realloc",
            Role::NothrowNew => "nothrow_new",
            Role::FixedMemalign => "fixed_memalign",
        }
    }

    /// Whether a function with these parameters and results can play the role.
    pub(super) fn fits(self, params: &[ValType], results: &[ValType], address: ValType) -> bool {
        let result_fits = match self.effect() {
            _ if self.stores_result() => *results == [ValType::I32],
            Effect::Frees => results.is_empty(),
            _ => *results == [address],
        };
        result_fits && self.fits_params(params, address)
    }

    /// The same for a function that should return an error's number. Where no caller looks at that, compilers drop it.
    pub(super) fn fits_without_error(
        self,
        params: &[ValType],
        results: &[ValType],
        address: ValType,
    ) -> bool {
        self.stores_result() && results.is_empty() && self.fits_params(params, address)
    }

    fn fits_params(self, params: &[ValType], address: ValType) -> bool {
        params.len() == self.params().len() && params.iter().all(|param| *param == address)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
