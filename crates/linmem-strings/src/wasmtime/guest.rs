//! An instance's memory and allocator, called so that a NULL, a trap or an address outside the
//! memory cannot go unnoticed.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use ::wasmtime as engine;
use engine::{AsContext, AsContextMut, Func, Memory, Trap, TypedFunc, WasmBacktrace};

use super::Address;
use crate::error::{Error, ErrorKind, Result};

/// What an instance provides.
pub(super) struct Guest<A: Address> {
    pub(super) memory: Memory,
    pub(super) malloc: Malloc<A>,
    pub(super) free: Free<A>,
    /// Whether it has trapped.
    pub(super) poisoned: AtomicBool,
}

/// A block that the guest's allocator handed out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<A> {
    pub(super) address: A,
    pub(super) size: A,
}

/// `malloc`, by the parameters that it takes.
pub(super) enum Malloc<A: Address> {
    Size(TypedFunc<A, A>),
    SizeAlignment(TypedFunc<(A, A), A>),
    Cabi(TypedFunc<(A, A, A, A), A>),
}

/// `free`, by the parameters that it takes.
pub(super) enum Free<A: Address> {
    Pointer(TypedFunc<A, ()>),
    PointerSize(TypedFunc<(A, A), ()>),
    PointerSizeAlignment(TypedFunc<(A, A, A), ()>),
    Cabi(TypedFunc<(A, A, A, A), A>),
}

impl<A: Address> fmt::Debug for Guest<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest").field("memory", &self.memory).finish_non_exhaustive()
    }
}

impl<A: Address> Guest<A> {
    #[inline]
    pub(super) fn malloc(&self, mut cx: impl AsContextMut, bytes: u64) -> Result<Block<A>> {
        self.check_not_poisoned()?;
        let size = A::narrow(bytes).ok_or_else(|| too_large(bytes))?;
        let address = self.malloc.call(&mut cx, size);
        self.block(&cx, address, size)
    }

    pub(super) async fn malloc_async(
        &self,
        mut cx: impl AsContextMut<Data: Send>,
        bytes: u64,
    ) -> Result<Block<A>> {
        self.check_not_poisoned()?;
        let size = A::narrow(bytes).ok_or_else(|| too_large(bytes))?;
        let address = self.malloc.call_async(&mut cx, size).await;
        self.block(&cx, address, size)
    }

    #[inline]
    pub(super) fn free(&self, mut cx: impl AsContextMut, block: Block<A>) -> Result<()> {
        self.check_not_poisoned()?;
        let freed = self.free.call(&mut cx, block);
        freed.map_err(|error| self.allocator_trapped(error))
    }

    pub(super) async fn free_async(
        &self,
        mut cx: impl AsContextMut<Data: Send>,
        block: Block<A>,
    ) -> Result<()> {
        self.check_not_poisoned()?;
        let freed = self.free.call_async(&mut cx, block).await;
        freed.map_err(|error| self.allocator_trapped(error))
    }

    /// What the allocator returned, as a block. Whether it lies in the memory is checked when it is
    /// written.
    #[inline]
    fn block(&self, cx: impl AsContext, address: engine::Result<A>, size: A) -> Result<Block<A>> {
        let address = address.map_err(|error| self.allocator_trapped(error))?;
        if address.wide() == 0 {
            return Err(self.allocation_failed(cx, size.wide()));
        }
        Ok(Block { address, size })
    }

    /// Frees what was lent, unless the instance trapped meanwhile.
    #[inline]
    pub(super) fn after_lending<R>(
        &self,
        cx: impl AsContextMut,
        block: Block<A>,
        result: engine::Result<R>,
    ) -> engine::Result<R> {
        if self.note_trap(&result) {
            return result;
        }
        let freed = self.free(cx, block);
        result.and_then(|value| Ok(freed.map(|()| value)?))
    }

    pub(super) async fn after_lending_async<R>(
        &self,
        cx: impl AsContextMut<Data: Send>,
        block: Block<A>,
        result: engine::Result<R>,
    ) -> engine::Result<R> {
        if self.note_trap(&result) {
            return result;
        }
        let freed = self.free_async(cx, block).await;
        result.and_then(|value| Ok(freed.map(|()| value)?))
    }

    /// Whether an error cut off guest code in the middle: a trap, or a host function's error that
    /// went through its frames.
    #[inline]
    fn note_trap<R>(&self, result: &engine::Result<R>) -> bool {
        let trapped = result.as_ref().is_err_and(|error| {
            error.downcast_ref::<Trap>().is_some()
                || error.downcast_ref::<WasmBacktrace>().is_some()
        });
        if trapped {
            self.poisoned.store(true, Ordering::Relaxed);
        }
        trapped
    }

    #[inline]
    fn check_not_poisoned(&self) -> Result<()> {
        if !self.poisoned.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(poisoned())
    }

    #[cold]
    fn allocator_trapped(&self, error: engine::Error) -> Error {
        self.poisoned.store(true, Ordering::Relaxed);
        let message = "the guest's allocator trapped: make a new instance";
        Error::new(ErrorKind::AllocatorTrapped, message).caused_by(error.into_boxed_dyn_error())
    }

    #[cold]
    fn allocation_failed(&self, cx: impl AsContext, size: u64) -> Error {
        let pages = self.memory.size(&cx);
        let limit = match self.memory.ty(&cx).maximum() {
            Some(maximum) => format!("may grow to {maximum}"),
            None => "has no maximum of its own".to_owned(),
        };
        Error::new(
            ErrorKind::AllocationFailed { size },
            format!(
                "the guest's allocator has no {size} bytes: the memory has {pages} pages and \
                 {limit}. Free what is not needed, or let the memory grow further"
            ),
        )
    }
}

impl<A: Address> Malloc<A> {
    pub(super) fn of(cx: impl AsContext, function: Func) -> Option<Malloc<A>> {
        let typed = function.typed(&cx).map(Malloc::Size);
        typed.or_else(|_| function.typed(&cx).map(Malloc::SizeAlignment)).ok()
    }

    #[inline]
    fn call(&self, cx: impl AsContextMut, size: A) -> engine::Result<A> {
        match self {
            Malloc::Size(malloc) => malloc.call(cx, size),
            Malloc::SizeAlignment(malloc) => malloc.call(cx, (size, A::ONE)),
            Malloc::Cabi(realloc) => realloc.call(cx, (A::ZERO, A::ZERO, A::ONE, size)),
        }
    }

    async fn call_async(&self, cx: impl AsContextMut<Data: Send>, size: A) -> engine::Result<A> {
        match self {
            Malloc::Size(malloc) => malloc.call_async(cx, size).await,
            Malloc::SizeAlignment(malloc) => malloc.call_async(cx, (size, A::ONE)).await,
            Malloc::Cabi(realloc) => realloc.call_async(cx, (A::ZERO, A::ZERO, A::ONE, size)).await,
        }
    }
}

impl<A: Address> Free<A> {
    pub(super) fn of(cx: impl AsContext, function: Func) -> Option<Free<A>> {
        let typed = function.typed(&cx).map(Free::Pointer);
        let typed = typed.or_else(|_| function.typed(&cx).map(Free::PointerSize));
        typed.or_else(|_| function.typed(&cx).map(Free::PointerSizeAlignment)).ok()
    }

    #[inline]
    fn call(&self, cx: impl AsContextMut, Block { address, size }: Block<A>) -> engine::Result<()> {
        match self {
            Free::Pointer(free) => free.call(cx, address),
            Free::PointerSize(free) => free.call(cx, (address, size)),
            Free::PointerSizeAlignment(free) => free.call(cx, (address, size, A::ONE)),
            Free::Cabi(realloc) => realloc.call(cx, (address, size, A::ONE, A::ZERO)).map(drop),
        }
    }

    async fn call_async(
        &self,
        cx: impl AsContextMut<Data: Send>,
        Block { address, size }: Block<A>,
    ) -> engine::Result<()> {
        match self {
            Free::Pointer(free) => free.call_async(cx, address).await,
            Free::PointerSize(free) => free.call_async(cx, (address, size)).await,
            Free::PointerSizeAlignment(free) => free.call_async(cx, (address, size, A::ONE)).await,
            Free::Cabi(realloc) => {
                realloc.call_async(cx, (address, size, A::ONE, A::ZERO)).await.map(drop)
            }
        }
    }
}

#[cold]
fn poisoned() -> Error {
    let message =
        "the instance trapped earlier, so its heap may be in any state: make a new instance";
    Error::new(ErrorKind::Poisoned, message)
}

#[cold]
pub(super) fn missing(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::MissingExport, message)
}

#[cold]
pub(super) fn wrong_type<A: Address>(name: &str) -> Error {
    let bits = if A::IS_64 { 64 } else { 32 };
    missing(format!(
        "the function `{name}` has not the type of an allocator with {bits}-bit addresses: \
         malloc(size) or (size, alignment) to pointer, free(pointer), (pointer, size) or \
         (pointer, size, alignment), cabi_realloc(pointer, old size, alignment, size) to pointer"
    ))
}

#[cold]
pub(super) fn too_large(size: u64) -> Error {
    let message = format!("no 32-bit memory has room for {size} bytes");
    Error::new(ErrorKind::AllocationFailed { size }, message)
}
