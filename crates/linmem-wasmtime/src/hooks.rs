//! The functions that instrumented code imports. Each passes its arguments on to the recorder, which
//! knows what they mean, and lends it the instance that runs.

use std::sync::Arc;

use linmem::record::Hook;
use wasmtime::{Caller, Linker};

use crate::recording::Recording;
use crate::watched::Watched;

/// An address or a size, as wide as the guest's memory has it.
pub(crate) trait Word: wasmtime::WasmTy + Copy + 'static {
    /// Extended with zeros.
    fn wide(self) -> u64;
}

impl Word for u32 {
    fn wide(self) -> u64 {
        u64::from(self)
    }
}

impl Word for u64 {
    fn wide(self) -> u64 {
        self
    }
}

/// Whose hooks they are, and where to find the recording.
struct Hooks<R> {
    watched: Watched,
    recording: R,
}

impl<R> Hooks<R> {
    /// The recording belongs to the store, as the instance does that is lent, so it is out of it meanwhile.
    /// All of it goes into each hook's function, where the hook is known; closures would not.
    #[inline(always)]
    fn call<T: 'static, const N: usize>(
        &self,
        mut caller: Caller<'_, T>,
        instance: u32,
        hook: Hook,
        args: [u64; N],
    ) -> wasmtime::Result<u32>
    where
        R: Fn(&mut T) -> &mut Recording,
    {
        let mut live = Recording::take(&mut caller, &self.recording);
        let known = (instance as usize).checked_sub(1).filter(|number| live.knows(*number));
        let number = known.unwrap_or_else(|| {
            live.meet(&self.watched, &mut caller, |caller, name| caller.get_export(name))
        });
        let result = live.hook(number, hook, &args, &mut caller);
        (self.recording)(caller.data_mut()).put_back(live);
        if hook == Hook::BadAccess && self.watched.stops_at_first() {
            self.watched.stop();
        }
        if self.watched.is_stopped() { stopped() } else { Ok(result) }
    }
}

/// The words are those of whoever stopped it.
#[cold]
fn stopped() -> wasmtime::Result<u32> {
    Err(wasmtime::Error::msg("stopped"))
}

/// Defines a hook that returns nothing, given what its parameters are, in 64 bits. The instance follows.
macro_rules! define {
    ($linker:ident, $hooks:ident, $hook:expr, |$($name:ident: $ty:ty),*| $args:expr) => {{
        let hooks = Arc::clone(&$hooks);
        let hook = move |caller: Caller<'_, T>, $($name: $ty,)* instance: u32| {
            hooks.call(caller, instance, $hook, $args).map(drop)
        };
        $linker.func_wrap($hooks.watched.hook_module(), $hook.name(), hook)?;
    }};
}

/// Provides the functions of [`Hook`].
pub(crate) fn define_hooks<T: 'static, W: Word, R>(
    watched: Watched,
    linker: &mut Linker<T>,
    recording: R,
) -> wasmtime::Result<()>
where
    R: Fn(&mut T) -> &mut Recording + Send + Sync + 'static,
{
    let hooks = Arc::new(Hooks { watched, recording });
    define!(
        linker,
        hooks,
        Hook::Allocated,
        |pointer: W, size: W, align: W, low: u32, high: u32| {
            [pointer.wide(), size.wide(), align.wide(), low.wide(), high.wide()]
        }
    );
    define!(linker, hooks, Hook::Freed, |pointer: W, size: W, align: W, low: u32, high: u32| {
        [pointer.wide(), size.wide(), align.wide(), low.wide(), high.wide()]
    });
    define!(
        linker,
        hooks,
        Hook::Reallocating,
        |pointer: W, old: W, align: W, new: W, low: u32, high: u32| {
            let [pointer, old, align, new] = [pointer, old, align, new].map(Word::wide);
            [pointer, old, align, new, low.wide(), high.wide()]
        }
    );
    define!(linker, hooks, Hook::Reallocated, |pointer: W| [pointer.wide()]);
    define!(linker, hooks, Hook::Grown, |delta: W,
                                         previous: W,
                                         in_allocator: u32,
                                         low: u32,
                                         high: u32| {
        [delta.wide(), previous.wide(), in_allocator.wide(), low.wide(), high.wide()]
    });
    define!(linker, hooks, Hook::Resumed, |level: u32| [level.wide()]);
    define!(linker, hooks, Hook::BadAccess, |instruction: u32, address: W, bytes: W, by: u32| {
        [instruction.wide(), address.wide(), bytes.wide(), by.wide()]
    });
    define!(linker, hooks, Hook::Passed, |a: W, b: W, c: W, d: W| [a, b, c, d].map(Word::wide));
    define!(linker, hooks, Hook::Returned, |function: u32, value: W| {
        [function.wide(), value.wide()]
    });
    define!(linker, hooks, Hook::HandedOut, |a: W, b: W, c: W, d: W| [a, b, c, d].map(Word::wide));
    define_entered::<T, W, R>(hooks, linker)
}

/// The hook that returns something: the level of the entry.
fn define_entered<T: 'static, W: Word, R>(
    hooks: Arc<Hooks<R>>,
    linker: &mut Linker<T>,
) -> wasmtime::Result<()>
where
    R: Fn(&mut T) -> &mut Recording + Send + Sync + 'static,
{
    let module = hooks.watched.hook_module().to_owned();
    let hook = move |caller: Caller<'_, T>,
                     function: u32,
                     level: u32,
                     running: u32,
                     stack_pointer: W,
                     a: W,
                     b: W,
                     c: W,
                     d: W,
                     instance: u32| {
        let [function, level, running] = [function, level, running].map(Word::wide);
        let [stack_pointer, a, b, c, d] = [stack_pointer, a, b, c, d].map(Word::wide);
        let args = [function, level, running, stack_pointer, a, b, c, d];
        hooks.call(caller, instance, Hook::Entered, args)
    };
    linker.func_wrap(&module, Hook::Entered.name(), hook).map(drop)
}
