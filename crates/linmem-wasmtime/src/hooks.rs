//! The functions that instrumented code imports. Each passes its arguments on to the recorder, which
//! knows what they mean, and lends it the instance that runs.

use linmem::instrument::{HOOK_MODULE, OffsetMap};
use linmem::record::{Backtrace, Guest, Hook};
use linmem::trace::Frame;
use wasmtime::{AsContext, AsContextMut, Caller, Linker, WasmBacktrace};

use crate::running::{INSTANCE, State, global_value};

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

type Running<'a> = Caller<'a, State>;

/// Provides the functions of [`Hook`].
pub(crate) fn define_hooks<W: Word>(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        HOOK_MODULE,
        Hook::Allocated.name(),
        |caller: Running<'_>, pointer: W, size: W, align: W, low: u32, high: u32, _: u32| {
            let block = [pointer, size, align].map(Word::wide);
            hook(caller, Hook::Allocated, with_context(block, low, high));
        },
    )?;
    linker.func_wrap(
        HOOK_MODULE,
        Hook::Freed.name(),
        |caller: Running<'_>, pointer: W, size: W, align: W, low: u32, high: u32, _: u32| {
            let block = [pointer, size, align].map(Word::wide);
            hook(caller, Hook::Freed, with_context(block, low, high));
        },
    )?;
    linker.func_wrap(
        HOOK_MODULE,
        Hook::Reallocating.name(),
        |caller: Running<'_>, pointer: W, old: W, align: W, new: W, low: u32, high: u32, _: u32| {
            let [pointer, old, align, new] = [pointer, old, align, new].map(Word::wide);
            let args = [pointer, old, align, new, low.into(), high.into()];
            hook(caller, Hook::Reallocating, args);
        },
    )?;
    linker.func_wrap(
        HOOK_MODULE,
        Hook::Reallocated.name(),
        |caller: Running<'_>, pointer: W, _: u32| {
            hook(caller, Hook::Reallocated, [pointer.wide()]);
        },
    )?;
    linker.func_wrap(
        HOOK_MODULE,
        Hook::Grown.name(),
        |caller: Running<'_>,
         delta: W,
         previous: W,
         in_allocator: u32,
         low: u32,
         high: u32,
         _: u32| {
            let growth = [delta.wide(), previous.wide(), in_allocator.into()];
            hook(caller, Hook::Grown, with_context(growth, low, high));
        },
    )?;
    linker.func_wrap(
        HOOK_MODULE,
        Hook::Entered.name(),
        |caller: Running<'_>,
         f: u32,
         level: u32,
         running: u32,
         sp: W,
         a: W,
         b: W,
         c: W,
         d: W,
         _: u32| {
            let entry = [f, level, running].map(Word::wide);
            let [sp, a, b, c, d] = [sp, a, b, c, d].map(Word::wide);
            hook(caller, Hook::Entered, [entry[0], entry[1], entry[2], sp, a, b, c, d])
        },
    )?;
    linker.func_wrap(
        HOOK_MODULE,
        Hook::Resumed.name(),
        |caller: Running<'_>, level: u32, _: u32| {
            hook(caller, Hook::Resumed, [level.into()]);
        },
    )?;
    linker.func_wrap(
        HOOK_MODULE,
        Hook::Passed.name(),
        |caller: Running<'_>, a: W, b: W, c: W, d: W, _: u32| {
            hook(caller, Hook::Passed, [a, b, c, d].map(Word::wide));
        },
    )?;
    linker.func_wrap(
        HOOK_MODULE,
        Hook::Returned.name(),
        |caller: Running<'_>, function: u32, value: W, _: u32| {
            hook(caller, Hook::Returned, [function.into(), value.wide()]);
        },
    )?;
    linker.func_wrap(
        HOOK_MODULE,
        Hook::HandedOut.name(),
        |caller: Running<'_>, a: W, b: W, c: W, d: W, _: u32| {
            hook(caller, Hook::HandedOut, [a, b, c, d].map(Word::wide));
        },
    )?;
    Ok(())
}

fn with_context([a, b, c]: [u64; 3], low: u32, high: u32) -> [u64; 5] {
    [a, b, c, low.into(), high.into()]
}

/// Lends the recorder the instance. Both belong to the store, so the recorder is out of it meanwhile.
#[inline]
fn hook<const N: usize>(mut caller: Running<'_>, hook: Hook, args: [u64; N]) -> u32 {
    let Some(mut recorder) = caller.data_mut().recorder.take() else { return 0 };
    let result = recorder.hook(INSTANCE, hook, &args, &mut InCall(&mut caller));
    caller.data_mut().recorder = Some(recorder);
    result
}

/// The instance whose code has called a hook.
struct InCall<'a, 'c>(&'a mut Running<'c>);

impl Guest for InCall<'_, '_> {
    #[cold]
    fn backtrace(&mut self) -> Backtrace {
        let backtrace = WasmBacktrace::force_capture(self.0.as_context());
        let (inner, caller) = self.0.data().map.parts(functions_of(&backtrace));
        Backtrace::new(inner, caller)
    }

    fn memory(&mut self) -> &[u8] {
        match self.0.data().memory {
            Some(memory) => memory.data(self.0.as_context()),
            None => &[],
        }
    }

    fn global(&mut self, index: u32) -> Option<u64> {
        let instance = self.0.data().instance?;
        global_value(instance, index, self.0.as_context_mut())
    }
}

/// A backtrace in terms of the original module.
pub(crate) fn frames_of(backtrace: &WasmBacktrace, map: &OffsetMap) -> Vec<Frame> {
    map.frames(functions_of(backtrace))
}

/// The functions of a backtrace, with the offsets of their instructions.
fn functions_of(backtrace: &WasmBacktrace) -> impl Iterator<Item = (u32, Option<usize>)> {
    backtrace.frames().iter().map(|frame| (frame.func_index(), frame.module_offset()))
}
