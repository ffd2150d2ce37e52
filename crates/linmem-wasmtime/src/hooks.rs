//! The functions that instrumented code imports: each asks for the context and appends an event.

use ::wasmtime as engine;
use engine::{AsContext, AsContextMut, Caller, Linker, WasmBacktrace};

use super::State;
use crate::event::{ContextId, Event, Hook, IMPORT_MODULE, UNKNOWN_SIZE};
use crate::host::Recorder;
use crate::instrument::{OffsetMap, Origin};
use crate::trace::{Crossing, Frame, Record};

/// An address or a size, as wide as the guest's memory has it.
pub(super) trait Word: engine::WasmTy + Copy + 'static {
    fn wide(self) -> u64;
    /// As [`wide`](Word::wide), but -1 is [`UNKNOWN_SIZE`].
    fn size(self) -> u64;
}

impl Word for u32 {
    fn wide(self) -> u64 {
        u64::from(self)
    }

    fn size(self) -> u64 {
        if self == u32::MAX { UNKNOWN_SIZE } else { u64::from(self) }
    }
}

impl Word for u64 {
    fn wide(self) -> u64 {
        self
    }

    fn size(self) -> u64 {
        self
    }
}

/// Provides the functions of [`Hook`]. Each asks for the context and appends an event.
pub(super) fn define_hooks<W: Word>(linker: &mut Linker<State>) -> engine::Result<()> {
    type Guest<'a> = Caller<'a, State>;
    linker.func_wrap(
        IMPORT_MODULE,
        Hook::Allocated.name(),
        |mut guest: Guest<'_>, pointer: W, size: W, align: W, low: u32, high: u32| {
            let context = context(&mut guest, low, high);
            let (pointer, size, align) = (pointer.wide(), size.wide(), align.wide());
            if pointer == 0 {
                check_low_memory(&mut guest);
            }
            let event = Event::Allocated { pointer, size, align, context };
            guest.data_mut().recorder.event(&event);
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        Hook::Freed.name(),
        |mut guest: Guest<'_>, pointer: W, size: W, align: W, low: u32, high: u32| {
            let context = context(&mut guest, low, high);
            let (pointer, size, align) = (pointer.wide(), size.size(), align.wide());
            let event = Event::Freed { pointer, size, align, context };
            guest.data_mut().recorder.event(&event);
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        Hook::Reallocating.name(),
        |mut guest: Guest<'_>, pointer: W, old: W, align: W, new: W, low: u32, high: u32| {
            let context = context(&mut guest, low, high);
            let (pointer, align) = (pointer.wide(), align.wide());
            let (old_size, new_size) = (old.size(), new.wide());
            let event = Event::Reallocating { pointer, old_size, align, new_size, context };
            guest.data_mut().recorder.event(&event);
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        Hook::Reallocated.name(),
        |mut guest: Guest<'_>, pointer: W| {
            let pointer = pointer.wide();
            if pointer == 0 {
                check_low_memory(&mut guest);
            }
            guest.data_mut().recorder.event(&Event::Reallocated { pointer });
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        Hook::Grown.name(),
        |mut guest: Guest<'_>, delta: W, previous: W, depth: u32, low: u32, high: u32| {
            let event = Event::Grown {
                delta_pages: delta.wide(),
                previous_pages: Some(previous.size()).filter(|pages| *pages != UNKNOWN_SIZE),
                in_allocator: depth != 0,
                context: context(&mut guest, low, high),
            };
            guest.data_mut().recorder.event(&event);
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        Hook::Entered.name(),
        |mut guest: Guest<'_>, function: u32, a: W, b: W, c: W, d: W| {
            let recorder = &mut guest.data_mut().recorder;
            recorder.record(&Record::Called { function, times: 1 });
            crossed(recorder, [a, b, c, d], Crossing::Passed);
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        Hook::Passed.name(),
        |mut guest: Guest<'_>, a: W, b: W, c: W, d: W| {
            crossed(&mut guest.data_mut().recorder, [a, b, c, d], Crossing::Passed);
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        Hook::Returned.name(),
        |mut guest: Guest<'_>, function: u32, value: W| {
            crossed(&mut guest.data_mut().recorder, [value], Crossing::Returned(function));
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        Hook::HandedOut.name(),
        |mut guest: Guest<'_>, a: W, b: W, c: W, d: W| {
            crossed(&mut guest.data_mut().recorder, [a, b, c, d], Crossing::HandedOut);
        },
    )?;
    Ok(())
}

fn crossed<W: Word, const N: usize>(recorder: &mut Recorder, values: [W; N], crossing: Crossing) {
    values.into_iter().for_each(|value| recorder.crossed(value.wide(), crossing));
}

/// The context of an event; a new one gets its backtrace.
#[inline]
fn context(caller: &mut Caller<'_, State>, low: u32, high: u32) -> ContextId {
    let raw = u64::from(low) | u64::from(high) << 32;
    match caller.data_mut().recorder.known_context(raw) {
        Some(context) => context,
        None => new_context(caller, raw),
    }
}

#[cold]
fn new_context(caller: &mut Caller<'_, State>, raw: u64) -> ContextId {
    let frames = if caller.data().recorder.wants_backtrace() {
        frames_of(&WasmBacktrace::force_capture(caller.as_context()), &caller.data().map)
    } else {
        Vec::new()
    };
    caller.data_mut().recorder.define_context(raw, frames)
}

#[cold]
fn check_low_memory(caller: &mut Caller<'_, State>) {
    if let Some(memory) = caller.data().memory {
        let (bytes, state) = memory.data_and_store_mut(caller.as_context_mut());
        state.recorder.check_low_memory(bytes);
    }
}

/// A backtrace in terms of the original module. A wrapper's frame stands for its allocator
/// function, unless that function's own frame is there.
pub(super) fn frames_of(backtrace: &WasmBacktrace, map: &OffsetMap) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::with_capacity(backtrace.frames().len());
    for frame in backtrace.frames() {
        match map.origin(frame.func_index()) {
            Origin::Function(function) => {
                let offset = frame.module_offset().and_then(|offset| map.original_offset(offset));
                let offset = offset.and_then(|offset| u32::try_from(offset).ok());
                frames.push(Frame::Wasm { function, offset });
            }
            Origin::Wrapper(wrapped) => {
                let shown = matches!(frames.last(), Some(Frame::Wasm { function, .. }) if *function == wrapped);
                if !shown {
                    frames.push(Frame::Wasm { function: wrapped, offset: None });
                }
            }
            Origin::Added => {}
        }
    }
    frames
}
