//! The user's own lines in stacks.

use std::cmp::Reverse;

use crate::report::Stack;
use crate::units::{count, number_of};

/// The innermost line of the host's code that is not a package's or the runtime's own: `app.mjs:5`.
pub(crate) fn user_line(stack: &Stack) -> Option<&str> {
    lines(stack).find(|line| is_own(line))
}

/// Where Emscripten's glue calls the function that a thread was started with. From there on, a stack has its glue alone.
const THREAD_ENTRY: &str = "invokeEntryPoint (";

/// The lines of the host's code, the innermost first.
fn lines(stack: &Stack) -> impl Iterator<Item = &str> {
    let frames = stack.iter().take_while(|frame| !frame.function.starts_with(THREAD_ENTRY));
    frames.filter_map(|frame| host_line(&frame.function))
}

/// The user's own line; where none is known, as in a chain of promises, the innermost line of a package, without the
/// folders that the package is in.
pub(crate) fn nearest_line(stack: &Stack) -> Option<&str> {
    let of_package = || {
        let line = lines(stack).next()?;
        Some(line.rsplit_once("node_modules/").map_or(line, |(_, inside)| inside))
    };
    user_line(stack).or_else(of_package)
}

/// Whether the innermost line of the host's code is a package's or the runtime's own; not so where no line is known.
pub(crate) fn begins_in_library(stack: &Stack) -> bool {
    lines(stack).next().is_some_and(|line| !is_own(line))
}

/// The user's own line in parentheses after a space, or nothing.
pub(crate) fn in_parentheses(stack: &Stack) -> String {
    user_line(stack).map_or_else(String::new, |line| format!(" ({line})"))
}

/// Lines that are named where there are many.
const MOST_LINES: usize = 3;

/// What was done how often at which lines, the most often first, in parentheses after a space, or nothing where no line is
/// known: ` (allocated at app.mjs:5)`, or ` (allocated: 20 at app.mjs:5, 3 elsewhere)`.
pub(crate) fn done_at(
    done: &str,
    of_line: impl IntoIterator<Item = (Option<String>, u64)>,
) -> String {
    let mut of_line: Vec<_> = of_line.into_iter().collect();
    of_line.sort_by_key(|(_, times)| Reverse(*times));
    match &of_line[..] {
        [(Some(only), _)] => return format!(" ({done} at {only})"),
        lines if lines.iter().all(|(line, _)| line.is_none()) => return String::new(),
        _ => {}
    }
    let named = of_line.iter().take(MOST_LINES).map(|(line, times)| match line {
        Some(line) => format!("{} at {line}", count(*times)),
        None => format!("{} elsewhere", count(*times)),
    });
    let more = match of_line.len().saturating_sub(MOST_LINES) as u64 {
        0 => String::new(),
        more => format!(" and {} more", number_of(more, "line")),
    };
    format!(" ({done}: {}{more})", named.collect::<Vec<_>>().join(", "))
}

/// The place in a frame of the host, which is `name (place:line)` or `place:line`.
fn host_line(frame: &str) -> Option<&str> {
    let inside = frame.strip_suffix(')').and_then(|frame| Some(frame.rsplit_once('(')?.1));
    let place = inside.unwrap_or(frame);
    let (file, line) = place.rsplit_once(':')?;
    let is_number = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit());
    (!file.is_empty() && is_number).then_some(place)
}

// What is made from a text at run time is a library's, such as the functions that embind makes: no file has the line.
fn is_own(place: &str) -> bool {
    let of_runtime = ["node:", "wasm:", "eval:"].iter().any(|scheme| place.starts_with(scheme));
    !of_runtime && !place.split(['/', '\\']).any(|folder| folder == "node_modules")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_the_host_has_a_place() {
        assert_eq!(host_line("app.mjs:5"), Some("app.mjs:5"));
        assert_eq!(host_line("Tree.add (src/tree.ts:12)"), Some("src/tree.ts:12"));
        assert_eq!(host_line("C:\\work\\app.mjs:5"), Some("C:\\work\\app.mjs:5"));
        for none in ["work", "Array.forEach", "std::vec::push", "run (native)", "a:b", ":5"] {
            assert_eq!(host_line(none), None, "{none}");
        }
    }

    #[test]
    fn the_nearest_line_is_the_users_or_that_of_a_package() {
        let stack = |functions: &[&str]| -> Stack {
            let frame = |function: &&str| {
                serde_json::from_value(serde_json::json!({
                    "function": function, "file": null, "line": null, "column": null, "offset": null, "inlined": false,
                }))
            };
            functions.iter().map(|function| frame(function).unwrap()).collect()
        };
        let package = "make (/home/me/node_modules/yoga/dist/yoga.js:63:305)";
        let nearest = |functions: &[&str]| nearest_line(&stack(functions)).map(str::to_owned);
        assert_eq!(nearest(&[package, "app.mjs:5"]).as_deref(), Some("app.mjs:5"));
        assert_eq!(nearest(&[package]).as_deref(), Some("yoga/dist/yoga.js:63:305"));
        assert_eq!(nearest(&["work"]), None);
        let thread = ["invokeEntryPoint (pool.js:1914)", "self.onmessage (pool.worker.js:1)"];
        assert_eq!(nearest(&thread), None, "Emscripten's glue starts a thread");
        assert_eq!(nearest(&["log (pool.js:7)", thread[0]]).as_deref(), Some("pool.js:7"));
    }

    #[test]
    fn packages_and_the_runtime_are_not_the_user() {
        for other in [
            "node:fs:12",
            "wasm://wasm/1234:1",
            "eval:8",
            "https://cdn.example/node_modules/yoga/index.js:5",
            "node_modules/yoga/dist/index.js:5",
            "/home/me/app/node_modules/yoga/index.js:5",
        ] {
            assert!(!is_own(other), "{other}");
        }
        for own in [
            "src/node_modules.js:5",
            "https://cdn.example/app.js:5",
            "blob:0a1b2c3d:5",
            "src/eval:5",
        ] {
            assert!(is_own(own), "{own}");
        }
    }
}
