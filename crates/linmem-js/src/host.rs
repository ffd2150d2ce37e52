//! What the host does for the library.

use std::io::{self, Read};
use std::panic;
use std::sync::Once;

#[link(wasm_import_module = "linmem")]
unsafe extern "C" {
    /// Opens the recording of this name, or the module, at its first byte, and numbers it. The host throws where it cannot.
    fn open(name: *const u8, length: usize) -> u32;

    /// The next bytes of a recording: how many there are, at most so many. The host throws where it cannot read.
    fn read(recording: u32, buffer: *mut u8, length: usize) -> usize;

    /// A panic says this. A trap follows.
    fn panicked(text: *const u8, length: usize);
}

/// A recording that the host reads.
pub struct Recording(u32);

impl Recording {
    pub fn open(name: &str) -> linmem::Result<Recording> {
        Ok(Recording(unsafe { open(name.as_ptr(), name.len()) }))
    }
}

/// The module with a SHA-256 beside a recording. The host checks that it has it.
pub fn module_beside(recording: &str, digest: &[u8; 32]) -> linmem::Result<Vec<u8>> {
    let directory = recording.rfind(['/', '\\']).map_or("", |at| &recording[..=at]);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut file = Recording::open(&format!("{directory}{hex}.wasm"))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Read for Recording {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = unsafe { read(self.0, buffer.as_mut_ptr(), buffer.len()) };
        if count > buffer.len() {
            return Err(io::Error::other("the host read more than there is room for"));
        }
        Ok(count)
    }
}

/// Lets the host know what a panic says.
pub fn tell_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|info| {
            let text = info.to_string();
            unsafe { panicked(text.as_ptr(), text.len()) };
        }));
    });
}
