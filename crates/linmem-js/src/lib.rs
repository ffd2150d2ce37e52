//! What a host that speaks JavaScript calls: `packages/linmem/src/library/library.js`.
//!
//! What goes in lies in buffers of [`malloc`](memory::malloc), which stay the host's. What comes out is an
//! [`Outcome`](outcome::Outcome), which the host gives back. A panic tells the host its words and traps; the instance
//! is of no use then.

mod host;
mod memory;
mod outcome;
mod report;

use std::slice;

use linmem::allocator::Role;
use linmem::{Error, ErrorKind, Mode, Prepared, Result, debug_file_name, export};

use outcome::Outcome;

/// Bytes that the host passes. None at all may have any address.
///
/// # Safety
///
/// There are so many bytes at the address, and nothing writes to them meanwhile.
unsafe fn bytes<'a>(address: *const u8, length: usize) -> &'a [u8] {
    if length == 0 { &[] } else { unsafe { slice::from_raw_parts(address, length) } }
}

/// JSON that the host passes.
fn json<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        Error::new(ErrorKind::InvalidRequest, format!("not what is expected: {error}"))
    })
}

/// Which functions allocate, as the user says: pairs of a role and a name or an index, in JSON.
type Named = Vec<(String, String)>;

fn hints(bytes: &[u8]) -> Result<Vec<(Role, String)>> {
    let named: Named = json(bytes)?;
    let hint = |(role, function): (String, String)| {
        let known = Role::ALL.into_iter().find(|known| known.name() == role);
        let unknown = || Error::new(ErrorKind::InvalidRequest, format!("there is no role {role}"));
        Ok((known.ok_or_else(unknown)?, function))
    };
    named.into_iter().map(hint).collect()
}

/// How accesses are checked, as the host says.
#[derive(serde::Deserialize)]
struct Checks {
    redzone: u32,
    quarantine: u64,
}

/// Instruments a module: the instrumented one, and what a recorder has to know of it, as JSON. `checks` is JSON: how its
/// accesses are checked, or `null`.
///
/// # Safety
///
/// All addresses are those of so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn instrument(
    wasm: *const u8,
    wasm_length: usize,
    hints: *const u8,
    hints_length: usize,
    checks: *const u8,
    checks_length: usize,
) -> *mut Outcome {
    let (wasm, hints) = unsafe { (bytes(wasm, wasm_length), bytes(hints, hints_length)) };
    let checks = unsafe { bytes(checks, checks_length) };
    Outcome::of(|| {
        let hints = self::hints(hints)?;
        let prepared = Prepared::new(wasm, &hints, None)?;
        let mode = match json::<Option<Checks>>(checks)? {
            None => Mode::default(),
            Some(Checks { redzone, quarantine }) => {
                Mode::check(None).with_redzone(redzone).with_quarantine(quarantine).for_v8()
            }
        };
        let instrumented = prepared.instrument(&mode)?;
        let map = instrumented.recorder_map(&prepared)?;
        Ok(vec![instrumented.wasm, map])
    })
}

/// The name of the file with a module's debug information, if it names one.
///
/// # Safety
///
/// All addresses are those of so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn debug_file(wasm: *const u8, wasm_length: usize) -> *mut Outcome {
    let wasm = unsafe { bytes(wasm, wasm_length) };
    Outcome::of(|| {
        Ok(debug_file_name(wasm).map(|name| name.as_bytes().to_vec()).into_iter().collect())
    })
}

/// What is in a module, as text. `debug` is the file with its debug information, or nothing.
///
/// # Safety
///
/// All addresses are those of so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn inspect(
    wasm: *const u8,
    wasm_length: usize,
    hints: *const u8,
    hints_length: usize,
    debug: *const u8,
    debug_length: usize,
) -> *mut Outcome {
    let (wasm, hints) = unsafe { (bytes(wasm, wasm_length), bytes(hints, hints_length)) };
    let debug = unsafe { bytes(debug, debug_length) };
    Outcome::of(|| {
        let hints = self::hints(hints)?;
        let debug = (!debug.is_empty()).then_some(debug);
        let inspection = Prepared::new(wasm, &hints, debug)?.inspect()?;
        let mut text = Vec::new();
        export::inspection(&inspection, report::options_for, &mut text)?;
        Ok(vec![text])
    })
}
