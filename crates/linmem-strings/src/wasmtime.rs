//! Strings for modules in [wasmtime](https://docs.rs/wasmtime). Only this file and `wasmtime/guest.rs`
//! name the engine.
//!
//! The operations take anything that leads to a store: `&mut Store`, or `&mut Caller` inside a host
//! function. Each operation that calls the guest also exists for asynchronous stores: both forms stand side
//! by side here, which makes the file longer than others.

mod guest;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ::wasmtime as engine;
use engine::{
    AsContext, AsContextMut, Caller, Extern, Func, Instance, Memory, StoreContext, StoreContextMut,
    WasmTy,
};

use crate::allocator::{self, CABI_REALLOC, FAMILIES};
use crate::error::{Error, ErrorKind, Result};
use crate::{Options, memory, text};
use guest::{Block, Free, Guest, Malloc, missing, too_large, wrong_type};

/// Strings of an instance whose memory has 32-bit addresses.
pub type Strings = GuestStrings<u32>;

/// Strings of an instance whose memory has 64-bit addresses (memory64).
pub type Strings64 = GuestStrings<u64>;

/// Strings of one instance, with pointers of type `A`. Clones are cheap, and mean the same instance.
///
/// Inside a host function, ask the [`Caller`]:
///
/// ```
/// use linmem_strings::wasmtime::Strings;
/// use wasmtime::{Caller, Engine, Linker};
///
/// let mut linker = Linker::<String>::new(&Engine::default());
/// linker.func_wrap("host", "log", |mut caller: Caller<'_, String>, message: u32| {
///     let strings = Strings::from_caller(&mut caller)?;
///     let line = strings.read(&caller, message)?.into_owned();
///     caller.data_mut().push_str(&line);
///     Ok(())
/// })?;
/// # Ok::<(), wasmtime::Error>(())
/// ```
#[derive(Debug)]
pub struct GuestStrings<A: Address> {
    guest: Arc<Guest<A>>,
    options: Options,
}

impl<A: Address> Clone for GuestStrings<A> {
    fn clone(&self) -> Self {
        GuestStrings { guest: self.guest.clone(), options: self.options }
    }
}

/// An address in a guest's memory: `u32`, or `u64` with memory64. Unsigned, so that addresses above
/// 2 GiB work; `TypedFunc<u32, u32>` takes it as it is.
pub trait Address: WasmTy + Copy + Sync + sealed::Sealed {}

impl Address for u32 {}
impl Address for u64 {}

mod sealed {
    pub trait Sealed: Sized {
        const IS_64: bool;
        const ZERO: Self;
        /// The alignment of text.
        const ONE: Self;
        fn wide(self) -> u64;
        fn narrow(wide: u64) -> Option<Self>;
    }

    impl Sealed for u32 {
        const IS_64: bool = false;
        const ZERO: u32 = 0;
        const ONE: u32 = 1;

        fn wide(self) -> u64 {
            u64::from(self)
        }

        fn narrow(wide: u64) -> Option<u32> {
            wide.try_into().ok()
        }
    }

    impl Sealed for u64 {
        const IS_64: bool = true;
        const ZERO: u64 = 0;
        const ONE: u64 = 1;

        fn wide(self) -> u64 {
            self
        }

        fn narrow(wide: u64) -> Option<u64> {
            Some(wide)
        }
    }
}

/// Makes the strings of an instance. The memory is the export `memory`; the allocator has one of the
/// names in [`FAMILIES`], or is `cabi_realloc`.
impl<A: Address> GuestStrings<A> {
    /// The strings of an instance.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MissingExport`], which names the export.
    pub fn new(mut cx: impl AsContextMut, instance: &Instance) -> Result<Self> {
        Self::find(&mut cx, |cx, name| instance.get_export(cx, name))
    }

    /// The strings of the instance that called a host function.
    ///
    /// # Errors
    ///
    /// As for [`new`](GuestStrings::new).
    pub fn from_caller<T: 'static>(caller: &mut Caller<'_, T>) -> Result<Self> {
        Self::find(caller, |caller, name| caller.get_export(name))
    }

    /// The strings of an instance whose allocator has other names. `malloc` and `free` have one of
    /// the types in [`allocator::Family`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MissingExport`] if their types, or the memory's, do not fit.
    pub fn from_parts(
        mut cx: impl AsContextMut,
        memory: Memory,
        malloc: Func,
        free: Func,
    ) -> Result<Self> {
        let malloc = Malloc::of(&mut cx, malloc).ok_or_else(|| wrong_type::<A>("malloc"))?;
        let free = Free::of(&mut cx, free).ok_or_else(|| wrong_type::<A>("free"))?;
        Self::of(cx, memory, malloc, free)
    }

    /// The same strings with other options.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    fn find<C: AsContextMut>(
        cx: &mut C,
        mut export: impl FnMut(&mut C, &str) -> Option<Extern>,
    ) -> Result<Self> {
        let memory = match export(cx, "memory") {
            Some(Extern::Memory(memory)) => memory,
            Some(Extern::SharedMemory(_)) => {
                return Err(missing(
                    "the memory is shared between threads, which is not supported",
                ));
            }
            _ => return Err(missing("no memory is exported as `memory`: export it")),
        };
        let mut function = |cx: &mut C, name: &str| export(cx, name).and_then(Extern::into_func);
        for family in FAMILIES {
            let pair = (function(cx, family.malloc), function(cx, family.free));
            if let (Some(malloc), Some(free)) = pair {
                return Self::from_parts(cx, memory, malloc, free);
            }
        }
        let Some(realloc) = function(cx, CABI_REALLOC) else {
            return Err(missing(format!(
                "no allocator is known among the exports: looked for {}. Export one of these, or \
                 use from_parts",
                allocator::names()
            )));
        };
        let realloc = realloc.typed(&*cx).map_err(|_| wrong_type::<A>(CABI_REALLOC))?;
        Self::of(cx, memory, Malloc::Cabi(realloc.clone()), Free::Cabi(realloc))
    }

    fn of(cx: impl AsContext, memory: Memory, malloc: Malloc<A>, free: Free<A>) -> Result<Self> {
        if memory.ty(&cx).is_64() != A::IS_64 {
            let (has, other) = if A::IS_64 { (32, "Strings") } else { (64, "Strings64") };
            return Err(missing(format!("the memory has {has}-bit addresses: use {other}")));
        }
        let guest = Guest { memory, malloc, free, poisoned: AtomicBool::new(false) };
        Ok(GuestStrings { guest: Arc::new(guest), options: Options::default() })
    }
}

/// Text in.
impl<A: Address> GuestStrings<A> {
    /// Lends a text to the guest: it is a C string at the address that `run` gets, and freed when
    /// `run` returns.
    ///
    /// # Errors
    ///
    /// What `run` returns; before that, an [`Error`] of this crate (see
    /// [`wasmtime::Error::downcast_ref`](engine::Error::downcast_ref)).
    pub fn with<C: AsContextMut, R>(
        &self,
        mut cx: C,
        text: &str,
        run: impl FnOnce(StoreContextMut<'_, C::Data>, A) -> engine::Result<R>,
    ) -> engine::Result<R> {
        let block = self.place(&mut cx, text)?;
        let result = run(cx.as_context_mut(), block.address);
        self.guest.after_lending(&mut cx, block, result)
    }

    /// Lends several texts in one allocation; `None` is NULL.
    ///
    /// ```
    /// # use linmem_strings::wasmtime::Strings;
    /// # use wasmtime::{Engine, Instance, Module, Store};
    /// # fn main() -> wasmtime::Result<()> {
    /// # let mut store = Store::new(&Engine::default(), ());
    /// # let module = Module::new(store.engine(), include_bytes!("../../../examples/strings.wasm"))?;
    /// # let instance = Instance::new(&mut store, &module, &[])?;
    /// let strings = Strings::new(&mut store, &instance)?;
    /// strings.with_all(&mut store, [Some("name"), None], |cx, [name, title]| {
    ///     assert_eq!(strings.read(&cx, name)?, "name");
    ///     assert_eq!(title, 0);
    ///     Ok(())
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`with`](GuestStrings::with).
    pub fn with_all<'t, C: AsContextMut, T: Into<Option<&'t str>>, const N: usize, R>(
        &self,
        mut cx: C,
        texts: [T; N],
        run: impl FnOnce(StoreContextMut<'_, C::Data>, [A; N]) -> engine::Result<R>,
    ) -> engine::Result<R> {
        let texts = self.encode_all(texts)?;
        let block = self.guest.malloc(&mut cx, batch_size(&texts))?;
        let pointers = self.write_all(&mut cx, block, texts)?;
        let result = run(cx.as_context_mut(), pointers);
        self.guest.after_lending(&mut cx, block, result)
    }

    /// Passes a text for longer than a call.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::EmbeddedNul`], [`ErrorKind::AllocationFailed`], [`ErrorKind::OutOfRange`] when
    /// the allocator returns an address outside the memory, [`ErrorKind::AllocatorTrapped`],
    /// [`ErrorKind::Poisoned`].
    pub fn alloc(&self, mut cx: impl AsContextMut, text: &str) -> Result<GuestString<A>> {
        let block = self.place(&mut cx, text)?;
        let byte_length = block.size.wide() - 1;
        Ok(GuestString { block, byte_length, guest: self.guest.clone() })
    }

    /// Passes a text for longer than a call to a function that takes its length: in a block of just its bytes,
    /// without a NUL behind them. An empty text gets one byte, since an allocator may return NULL for none.
    ///
    /// # Errors
    ///
    /// As for [`alloc`](GuestStrings::alloc). A NUL inside is like any other byte.
    pub fn alloc_sized(&self, mut cx: impl AsContextMut, text: &str) -> Result<GuestString<A>> {
        let byte_length = text.len() as u64;
        let block = self.guest.malloc(&mut cx, byte_length.max(1))?;
        memory::write_sized(self.guest.memory.data_mut(&mut cx), block.address.wide(), text)?;
        Ok(GuestString { block, byte_length, guest: self.guest.clone() })
    }

    /// As [`with`](GuestStrings::with).
    ///
    /// # Errors
    ///
    /// As for [`with`](GuestStrings::with).
    pub async fn with_async<C: AsContextMut<Data: Send>, R>(
        &self,
        mut cx: C,
        text: &str,
        run: impl AsyncFnOnce(StoreContextMut<'_, C::Data>, A) -> engine::Result<R>,
    ) -> engine::Result<R> {
        let block = self.place_async(&mut cx, text).await?;
        let result = run(cx.as_context_mut(), block.address).await;
        self.guest.after_lending_async(&mut cx, block, result).await
    }

    /// As [`with_all`](GuestStrings::with_all).
    ///
    /// # Errors
    ///
    /// As for [`with`](GuestStrings::with).
    pub async fn with_all_async<'t, C, T, const N: usize, R>(
        &self,
        mut cx: C,
        texts: [T; N],
        run: impl AsyncFnOnce(StoreContextMut<'_, C::Data>, [A; N]) -> engine::Result<R>,
    ) -> engine::Result<R>
    where
        C: AsContextMut<Data: Send>,
        T: Into<Option<&'t str>>,
    {
        let texts = self.encode_all(texts)?;
        let block = self.guest.malloc_async(&mut cx, batch_size(&texts)).await?;
        let pointers = self.write_all(&mut cx, block, texts)?;
        let result = run(cx.as_context_mut(), pointers).await;
        self.guest.after_lending_async(&mut cx, block, result).await
    }

    /// As [`alloc`](GuestStrings::alloc).
    ///
    /// # Errors
    ///
    /// As for [`alloc`](GuestStrings::alloc).
    pub async fn alloc_async(
        &self,
        mut cx: impl AsContextMut<Data: Send>,
        text: &str,
    ) -> Result<GuestString<A>> {
        let block = self.place_async(&mut cx, text).await?;
        let byte_length = block.size.wide() - 1;
        Ok(GuestString { block, byte_length, guest: self.guest.clone() })
    }

    #[inline]
    fn place(&self, mut cx: impl AsContextMut, text: &str) -> Result<Block<A>> {
        let text = text::encode(text, self.options.on_nul)?;
        let block = self.guest.malloc(&mut cx, text.len() as u64 + 1)?;
        self.write(cx, block.address.wide(), text)?;
        Ok(block)
    }

    async fn place_async(
        &self,
        mut cx: impl AsContextMut<Data: Send>,
        text: &str,
    ) -> Result<Block<A>> {
        let text = text::encode(text, self.options.on_nul)?;
        let block = self.guest.malloc_async(&mut cx, text.len() as u64 + 1).await?;
        self.write(cx, block.address.wide(), text)?;
        Ok(block)
    }

    #[inline]
    fn write(&self, mut cx: impl AsContextMut, address: u64, text: &str) -> Result<()> {
        memory::write_c_string(self.guest.memory.data_mut(&mut cx), address, text)
    }

    fn encode_all<'t, T: Into<Option<&'t str>>, const N: usize>(
        &self,
        texts: [T; N],
    ) -> Result<[Option<&'t str>; N]> {
        let mut encoded = [None; N];
        for (slot, text) in encoded.iter_mut().zip(texts) {
            *slot = text.into().map(|text| text::encode(text, self.options.on_nul)).transpose()?;
        }
        Ok(encoded)
    }

    /// Writes texts one behind the other, and says where they are.
    fn write_all<const N: usize>(
        &self,
        mut cx: impl AsContextMut,
        block: Block<A>,
        texts: [Option<&str>; N],
    ) -> Result<[A; N]> {
        let mut pointers = [block.address; N];
        let mut at = block.address.wide();
        for (pointer, text) in pointers.iter_mut().zip(texts) {
            let address = text.map_or(0, |_| at);
            *pointer = A::narrow(address).ok_or_else(|| too_large(at))?;
            if let Some(text) = text {
                self.write(&mut cx, at, text)?;
                at += text.len() as u64 + 1;
            }
        }
        Ok(pointers)
    }
}

/// Bytes for all texts, at least 1: an allocator may return NULL for a request of 0 bytes.
fn batch_size(texts: &[Option<&str>]) -> u64 {
    let bytes: u64 = texts.iter().flatten().map(|text| text.len() as u64 + 1).sum();
    bytes.max(1)
}

/// Text out.
impl<A: Address> GuestStrings<A> {
    /// Reads a C string, which the guest still owns.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NullPointer`], [`ErrorKind::OutOfRange`], [`ErrorKind::Unterminated`], and
    /// [`ErrorKind::InvalidUtf8`] if that is asked for.
    pub fn read<'a, T: 'static>(
        &self,
        cx: impl Into<StoreContext<'a, T>>,
        pointer: A,
    ) -> Result<Cow<'a, str>> {
        let bytes = memory::c_string(self.data(cx), pointer.wide(), self.options.scan_limit)?;
        text::decode(bytes, pointer.wide(), self.options.invalid)
    }

    /// Reads a C string; `None` if the pointer is NULL.
    ///
    /// # Errors
    ///
    /// As for [`read`](GuestStrings::read).
    pub fn read_optional<'a, T: 'static>(
        &self,
        cx: impl Into<StoreContext<'a, T>>,
        pointer: A,
    ) -> Result<Option<Cow<'a, str>>> {
        if pointer.wide() == 0 { Ok(None) } else { self.read(cx, pointer).map(Some) }
    }

    /// Reads a string of so many bytes. It needs no NUL at its end, and may have NULs inside.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NullPointer`], [`ErrorKind::OutOfRange`], and [`ErrorKind::InvalidUtf8`] if that
    /// is asked for.
    pub fn read_sized<'a, T: 'static>(
        &self,
        cx: impl Into<StoreContext<'a, T>>,
        pointer: A,
        byte_length: A,
    ) -> Result<Cow<'a, str>> {
        let bytes = memory::sized_string(self.data(cx), pointer.wide(), byte_length.wide())?;
        text::decode(bytes, pointer.wide(), self.options.invalid)
    }

    /// Reads a C string that the guest allocated for the host, and frees it, even if it cannot be
    /// decoded.
    ///
    /// # Errors
    ///
    /// As for [`read`](GuestStrings::read), and [`ErrorKind::AllocatorTrapped`],
    /// [`ErrorKind::Poisoned`].
    pub fn take(&self, mut cx: impl AsContextMut, pointer: A) -> Result<String> {
        let Taken { text, block } = self.read_owned(&cx, pointer);
        let freed = match block {
            Some(block) => self.guest.free(&mut cx, block),
            None => Ok(()),
        };
        text.and_then(|text| freed.map(|()| text))
    }

    /// As [`take`](GuestStrings::take).
    ///
    /// # Errors
    ///
    /// As for [`take`](GuestStrings::take).
    pub async fn take_async(
        &self,
        mut cx: impl AsContextMut<Data: Send>,
        pointer: A,
    ) -> Result<String> {
        let Taken { text, block } = self.read_owned(&cx, pointer);
        let freed = match block {
            Some(block) => self.guest.free_async(&mut cx, block).await,
            None => Ok(()),
        };
        text.and_then(|text| freed.map(|()| text))
    }

    fn data<'a, T: 'static>(&self, cx: impl Into<StoreContext<'a, T>>) -> &'a [u8] {
        self.guest.memory.data(cx)
    }

    fn read_owned(&self, cx: &impl AsContext, pointer: A) -> Taken<A> {
        let data = self.data(cx.as_context());
        match memory::c_string(data, pointer.wide(), self.options.scan_limit) {
            Ok(bytes) => Taken {
                text: text::decode(bytes, pointer.wide(), self.options.invalid)
                    .map(Cow::into_owned),
                block: A::narrow(bytes.len() as u64 + 1)
                    .map(|size| Block { address: pointer, size }),
            },
            Err(error) => {
                Taken { block: self.block_without_end(pointer, &error), text: Err(error) }
            }
        }
    }

    /// What to free of a string whose end was not found. NULL and addresses outside the memory never
    /// came from an allocator; and freeing with a wrong size is worse than a leak.
    fn block_without_end(&self, address: A, error: &Error) -> Option<Block<A>> {
        let unsized_free = matches!(self.guest.free, Free::Pointer(_));
        let is_block = matches!(error.kind(), ErrorKind::Unterminated { .. });
        (unsized_free && is_block).then_some(Block { address, size: A::ZERO })
    }
}

/// What was read of a string that the host owns, and what there is to free.
struct Taken<A> {
    text: Result<String>,
    block: Option<Block<A>>,
}

/// A string in a guest's memory that belongs to the host until it is freed. Dropping it frees
/// nothing: that takes a store.
#[derive(Debug)]
#[must_use = "the string stays allocated until `free` is called"]
pub struct GuestString<A: Address> {
    block: Block<A>,
    byte_length: u64,
    guest: Arc<Guest<A>>,
}

impl<A: Address> GuestString<A> {
    /// Where it is.
    pub fn ptr(&self) -> A {
        self.block.address
    }

    /// Its length in bytes, without a NUL behind it.
    pub fn byte_length(&self) -> u64 {
        self.byte_length
    }

    /// Gives it back to the guest's allocator.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AllocatorTrapped`], [`ErrorKind::Poisoned`].
    pub fn free(self, mut cx: impl AsContextMut) -> Result<()> {
        self.guest.free(&mut cx, self.block)
    }

    /// As [`free`](GuestString::free).
    ///
    /// # Errors
    ///
    /// As for [`free`](GuestString::free).
    pub async fn free_async(self, mut cx: impl AsContextMut<Data: Send>) -> Result<()> {
        self.guest.free_async(&mut cx, self.block).await
    }
}
