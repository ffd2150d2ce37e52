//! Makes one CommonJS script of ES modules. Node loads it in less than half of the time that their many files take, and any
//! Node can `require` it.
//!
//! Each module becomes a function that is called once, in the order of their imports:
//!
//! ```js
//! const $record_writer = (() => {
//!   const { unsigned } = $record_numbers;
//!   class Writer {}
//!   return { Writer };
//! })();
//! ```
//!
//! It takes the forms of `import` and `export` that the recorder has, each on a line of its own, and refuses others.

use std::fmt::Write;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// What stands for `import.meta.url`, and for `require`, which a module may have another one of.
const BEGINNING: &str = r#""use strict";
const builtin = require;
const linmemFile = builtin("node:url").pathToFileURL(__filename).href;
"#;

/// The program finds nothing but its own modules there.
const END: &str = "delete builtin.cache[__filename];\n";

/// The script that a module and all that it imports become, or why they do not. Paths are relative to `root`.
pub fn bundle(root: &Path, entry: &str) -> Result<String, String> {
    let mut bundle =
        Bundle { root, script: BEGINNING.to_owned(), done: Vec::new(), begun: Vec::new() };
    bundle.add(Path::new(entry))?;
    bundle.script.push_str(END);
    Ok(bundle.script)
}

struct Bundle<'r> {
    root: &'r Path,
    script: String,
    done: Vec<PathBuf>,
    /// Modules whose imports are being added.
    begun: Vec<PathBuf>,
}

impl Bundle<'_> {
    fn add(&mut self, module: &Path) -> Result<(), String> {
        if self.done.iter().any(|done| done == module) {
            return Ok(());
        }
        if self.begun.iter().any(|begun| begun == module) {
            return Err(format!("{}: it imports itself, through others", module.display()));
        }
        self.begun.push(module.to_owned());
        let text = fs::read_to_string(self.root.join(module))
            .map_err(|error| format!("{}: {error}", module.display()))?;
        let mut body = String::new();
        let mut exported = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let refused =
                || format!("{}:{}: `{line}` is not understood", module.display(), number + 1);
            let line = match (line.strip_prefix("import "), line.strip_prefix("export ")) {
                (Some(import), _) => self.import(module, import)?.ok_or_else(refused)?,
                (_, Some(export)) => match export.strip_prefix("* from ").and_then(quoted) {
                    Some(from) => {
                        let from = beside(module, from).ok_or_else(refused)?;
                        self.add(&from)?;
                        exported.push(format!("...{}", name_of(&from)));
                        String::new()
                    }
                    None => {
                        exported.push(declared(export).ok_or_else(refused)?.to_owned());
                        export.to_owned()
                    }
                },
                _ => line.to_owned(),
            };
            writeln!(body, "{}", line.replace("import.meta.url", "linmemFile"))
                .expect("text takes all");
        }
        let (name, exported) = (name_of(module), exported.join(", "));
        let script = format!("const {name} = (() => {{\n{body}return {{ {exported} }};\n}})();\n");
        self.script.push_str(&script);
        self.begun.pop();
        self.done.push(module.to_owned());
        Ok(())
    }

    /// What becomes of `import` and the rest of its line; none where that has another form.
    fn import(&mut self, module: &Path, rest: &str) -> Result<Option<String>, String> {
        let parts = rest.rsplit_once(" from ");
        let Some((what, from)) = parts.and_then(|(what, from)| Some((what, quoted(from)?))) else {
            return Ok(None);
        };
        let value = if from.starts_with("node:") {
            format!("builtin(\"{from}\")")
        } else {
            let Some(from) = beside(module, from) else { return Ok(None) };
            self.add(&from)?;
            // Only Node's own modules have one value that stands for all.
            if !what.starts_with('{') {
                return Ok(None);
            }
            name_of(&from)
        };
        let names = what.strip_prefix("* as ").unwrap_or(what).replace(" as ", ": ");
        Ok(Some(format!("const {names} = {value};")))
    }
}

/// A text in quotes that ends a statement.
fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix("\";")
}

/// The path of a module that another one names.
fn beside(module: &Path, named: &str) -> Option<PathBuf> {
    if !named.starts_with('.') {
        return None;
    }
    let mut path = module.parent()?.to_owned();
    for component in Path::new(named).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(path.pop().then_some(())?),
            other => path.push(other),
        }
    }
    Some(path)
}

/// What a module is called in the script.
fn name_of(module: &Path) -> String {
    let path = module.with_extension("");
    format!("${}", path.to_string_lossy().replace(['/', '\\', '-'], "_"))
}

/// The name that a declaration introduces: one that never changes.
fn declared(declaration: &str) -> Option<&str> {
    const KINDS: [&str; 4] = ["const ", "class ", "function ", "async function "];
    let rest = KINDS.iter().find_map(|kind| declaration.strip_prefix(kind))?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '$'));
    Some(&rest[..end?]).filter(|name| !name.is_empty())
}
