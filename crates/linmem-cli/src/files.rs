//! Reading and writing files, with errors that name them.

use std::path::{Path, PathBuf};
use std::{env, fs, path};

use anyhow::{Context, Result, anyhow};
use linmem::units::escape;
use linmem::{ErrorKind, debug_file_name};

/// Reads a file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes a file.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// The result of work on a file. An error gets the file's name and the option that may help.
pub fn about<T>(path: &Path, result: linmem::Result<T>) -> Result<T> {
    result.map_err(|error| {
        let help = match error.kind() {
            ErrorKind::MissingImports => {
                ". With --stub-imports the functions among them trap only when they are called, with --stub-imports=zero they return zero, and with --stub NAME=VALUE a number"
            }
            _ => "",
        };
        anyhow!("{}: {error}{help}", path.display())
    })
}

/// Reads the separate file that holds a module's debug information, if it names one that lies
/// beside the module. If it cannot be read, for whatever reason, the module runs without it.
pub fn debug_information(path: &Path, wasm: &[u8]) -> Option<Vec<u8>> {
    let name = debug_file_name(wasm)?;
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

/// Where compiled code is kept, beside the instrumented modules of `linmem node`.
pub fn cache_dir() -> Option<PathBuf> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let users = || {
        let local = || variable("LOCALAPPDATA").filter(|_| cfg!(windows));
        let home = || Some(env::home_dir()?.join(".cache"));
        Some(variable("XDG_CACHE_HOME").or_else(local).or_else(home)?.join("linmem"))
    };
    let directory = variable("LINMEM_CACHE_DIR").or_else(users)?.join("wasmtime");
    path::absolute(directory).ok()
}
