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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_a_library_are_known_by_their_folders() {
        for file in [
            "/usr/lib/llvm-19/include/wasm32-wasi/c++/v1/vector",
            "/usr/include/c++/12/bits/stl_vector.h",
            "/emsdk/upstream/emscripten/system/lib/libcxx/src/new.cpp",
            "/home/me/llvm-project/libcxx/src/string.cpp",
            "libcxxabi/src/cxa_guard.cpp",
            "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/alloc/src/vec/mod.rs",
            "wasi-libc/libc-bottom-half/crt/crt1-command.c",
        ] {
            assert!(is_library("std::vector<int>::push_back(int&&)", Some(file)), "{file}");
        }
        for own in ["src/vector.cpp", "/home/me/c++/app.cpp", "/work/v1/list.h", "library/lib.rs"] {
            assert!(!is_library("std::vector<int>::push_back(int&&)", Some(own)), "{own}");
        }
    }

    /// A `std` of the user's own would have such names, too.
    #[test]
    fn a_function_whose_source_is_not_known_is_not_judged_by_its_namespace() {
        for own in ["std::vector<int>::push_back(int&&)", "operator new(unsigned long)", "work"] {
            assert!(!is_library(own, None), "{own}");
        }
    }

    #[test]
    fn main_is_the_users_and_what_is_around_it_is_not() {
        for around in ["_start", "__main_void", "__original_main", "parse.command_export"] {
            assert!(is_library(around, None), "{around}");
        }
        for own in ["main", "main.rs", "command_export"] {
            assert!(!is_library(own, None), "{own}");
        }
        assert!(!is_library("_start", Some("src/main.c")), "of a file of the user's own");
    }
}
