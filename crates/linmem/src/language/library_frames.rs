//! Which frames of a stack belong to a language's own libraries.

/// Whether a frame belongs to a language's own library (Rust's, C++'s, wasi-libc's, Emscripten's) or to
/// what a linker puts around `main`.
pub(crate) fn is_library(function: &str, file: Option<&str>) -> bool {
    const FILES: [&str; 10] = [
        "/rustlib/src/rust/library/",
        "/rustc/",
        "libc-bottom-half/",
        "libc-top-half/",
        "dlmalloc/src/",
        "/system/lib/",
        "/c++/v1/",
        "/include/c++/",
        "libcxx/src/",
        "libcxxabi/src/",
    ];
    const FUNCTIONS: [&str; 3] = ["_start", "__main_void", "__original_main"];
    let plain = function.strip_suffix(".command_export").unwrap_or(function);
    match file {
        Some(file) => FILES.iter().any(|library| file.contains(library)),
        None => plain != function || FUNCTIONS.contains(&plain),
    }
}
