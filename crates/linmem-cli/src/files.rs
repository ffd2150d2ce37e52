//! Reading and writing files, with errors that name them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use linmem::Module;
use linmem::report::text::escape;

/// Reads a file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes a file.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// Reads the module of a file.
pub fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<Module<'a>> {
    Module::parse(bytes).with_context(|| path.display().to_string())
}

/// Reads the separate file that holds a module's debug information, if it names one that lies
/// beside the module. Whatever keeps it from being read, the module runs without it.
pub fn external_debug_info(path: &Path, wasm: &[u8]) -> Option<Vec<u8>> {
    let module = Module::parse(wasm).ok()?;
    let name = linmem::symbolize::external_debug_info(&module)?;
    let beside = path.parent()?.join(Path::new(name).file_name()?);
    match fs::read(&beside) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            anstream::eprintln!(
                "linmem: no source lines: cannot read {}, where {} says that its debug \
                 information is: {error}",
                escape(&beside.to_string_lossy()),
                escape(&path.to_string_lossy()),
            );
            None
        }
    }
}

/// The recordings in a directory.
pub fn traces(directory: &Path) -> Result<impl Iterator<Item = PathBuf>> {
    let entries =
        fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(paths.filter(|path| path.extension().is_some_and(|extension| extension == "trace")))
}
