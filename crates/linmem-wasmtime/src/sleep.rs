//! `poll_oneoff` with a clock alone, as `sleep` calls it: wasmtime's own blocks the thread, so that the
//! program cannot be stopped meanwhile.

use std::time::Duration;

use wasmtime::{Caller, Extern, Func, Linker, Store, Val};

use crate::running::State;

const WASI: &str = "wasi_snapshot_preview1";
const NAME: &str = "poll_oneoff";

// The layout of a subscription to a clock, and of an event (WASI preview 1, `typenames.witx`).
const TAG: usize = 8;
const CLOCK: u8 = 0;
const TIMEOUT: usize = 24;
const FLAGS: usize = 40;
const ABSOLUTE: u8 = 1;
const SUBSCRIPTION_BYTES: usize = 48;
const EVENT_BYTES: usize = 32;
const USER_DATA_BYTES: usize = 8;

/// Replaces `poll_oneoff` by one that waits so that it can be stopped.
pub(crate) fn add_to_linker(
    linker: &mut Linker<State>,
    store: &mut Store<State>,
) -> wasmtime::Result<()> {
    let Ok(Extern::Func(usual)) = linker.get(&mut *store, WASI, NAME) else { return Ok(()) };
    linker.allow_shadowing(true);
    linker.func_wrap_async(WASI, NAME, move |caller, args: (u32, u32, u32, u32)| {
        Box::new(poll(caller, usual, args))
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

async fn poll(
    mut caller: Caller<'_, State>,
    usual: Func,
    (subscriptions, events, count, written): (u32, u32, u32, u32),
) -> wasmtime::Result<u32> {
    let memory = caller.get_export("memory").and_then(Extern::into_memory);
    if let (Some(memory), 1) = (memory, count)
        && let Some(asked) = part(memory.data(&caller), subscriptions, SUBSCRIPTION_BYTES)
        && asked[TAG] == CLOCK
        && asked[FLAGS] & ABSOLUTE == 0
    {
        let nanos = asked[TIMEOUT..TIMEOUT + 8].try_into().map_or(0, u64::from_le_bytes);
        let mut event = [0; EVENT_BYTES];
        event[..USER_DATA_BYTES].copy_from_slice(&asked[..USER_DATA_BYTES]);
        tokio::time::sleep(Duration::from_nanos(nanos)).await;
        memory.write(&mut caller, events as usize, &event)?;
        memory.write(&mut caller, written as usize, &1u32.to_le_bytes())?;
        return Ok(0);
    }
    let args = [subscriptions, events, count, written].map(|arg| Val::I32(arg as i32));
    let mut errno = [Val::I32(0)];
    usual.call_async(&mut caller, &args, &mut errno).await?;
    Ok(errno[0].unwrap_i32() as u32)
}

fn part(memory: &[u8], address: u32, bytes: usize) -> Option<&[u8]> {
    let start = address as usize;
    memory.get(start..start.checked_add(bytes)?)
}
