//! An [`Inspection`] as text for a terminal.

use std::fmt::{self, Display, Formatter};
use std::io::Write;

use super::text::hooked;
use crate::error::Result;
use crate::inspect::{Inspection, MemoryFunction, MemoryInspection};
use crate::module::memory_map::AddressRange;
use crate::report::{NO_WORDS, SourceLines, Words};
use crate::units::{bytes, escape, number_of, pages};

/// Writes what is in a module. What the front end offers is named in its words.
///
/// # Errors
///
/// [`Io`](crate::ErrorKind::Io) when `out` fails.
pub fn write(inspection: &Inspection, words: Words, out: &mut impl Write) -> Result<()> {
    Ok(write!(out, "{}", Worded { inspection, words })?)
}

/// In the library's own words.
impl Display for Inspection {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Worded { inspection: self, words: NO_WORDS }.fmt(f)
    }
}

struct Worded<'i> {
    inspection: &'i Inspection,
    words: Words,
}

impl Display for Worded<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let inspection = self.inspection;
        inspection.file(f)?;
        for (number, memory) in inspection.memories.iter().enumerate() {
            writeln!(f, "memory {number}    {}", memory_text(memory))?;
        }
        inspection.layout(f)?;
        write!(f, "\nallocator functions\n{}", hooked(&inspection.coverage, self.words))?;
        inspection.memory_functions.iter().try_for_each(|function| memory_function(f, function))
    }
}

impl Inspection {
    fn file(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "file        {}: code {}, debug information {}, {}",
            bytes(self.file_bytes),
            bytes(self.code_bytes),
            bytes(self.debug_bytes),
            number_of(self.functions, "function"),
        )?;
        let names = if self.has_names { "function names" } else { "no function names" };
        let lines = match (&self.external_debug_info, self.source_lines.why_none()) {
            (_, None) => "source lines".to_owned(),
            (Some(file), Some(_)) => format!("debug information in {}", escape(file)),
            (None, Some(_)) if self.source_lines == SourceLines::NoDebugInformation => {
                "no source lines".to_owned()
            }
            (None, Some(why)) => format!("no source lines: {why}"),
        };
        writeln!(f, "symbols     {names}, {lines}")?;
        match self.producers.is_empty() {
            true => writeln!(f, "toolchain   the module does not say"),
            false => writeln!(f, "toolchain   {}", escape(&self.producers.join(", "))),
        }
    }

    fn layout(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let range = |range: AddressRange| {
            format!("{:#x}–{:#x}, {}", range.start, range.end, bytes(range.end - range.start))
        };
        if let Some(data) = self.layout.data {
            writeln!(
                f,
                "data        {} in {}",
                range(data),
                number_of(self.data.len(), "segment")
            )?;
        }
        if self.other_data > 0 {
            writeln!(
                f,
                "            and {} placed at run time",
                number_of(self.other_data, "segment")
            )?;
        }
        if let Some(stack) = self.layout.stack {
            let place = if stack.is_first {
                "before the data"
            } else {
                "behind the data; its low end is assumed"
            };
            writeln!(
                f,
                "stack       {} {place}, pointer in global {}",
                range(stack.range),
                stack.pointer
            )?;
        }
        match (self.layout.heap_base, self.layout.initial_room) {
            (Some(base), Some(room)) => {
                writeln!(f, "heap        from {base:#x}: {} of the initial pages", bytes(room))
            }
            _ => writeln!(f, "heap        the module does not say where it begins"),
        }
    }
}

fn memory_text(memory: &MemoryInspection) -> String {
    let limit = match memory.max_pages {
        Some(max) => format!("at most {} ({})", pages(max), size(max)),
        None => "no maximum".to_owned(),
    };
    let mut text = format!(
        "{} ({}) at start, {limit}",
        pages(memory.initial_pages),
        size(memory.initial_pages)
    );
    if memory.is_64 {
        text.push_str(", 64-bit");
    }
    if memory.shared {
        text.push_str(", shared");
    }
    if let Some(import) = &memory.import {
        text.push_str(&format!(", imported from {}", escape(import)));
    }
    if !memory.exports.is_empty() {
        text.push_str(&format!(", exported as {}", escape(&memory.exports.join(", "))));
    }
    text
}

fn size(pages: u64) -> String {
    bytes(pages.saturating_mul(crate::module::PAGE_BYTES))
}

fn memory_function(f: &mut Formatter<'_>, function: &MemoryFunction) -> fmt::Result {
    let what = match (function.grows, function.sizes) {
        (0, _) => "asks for the size of a memory",
        (_, 0) => "grows a memory",
        _ => "grows a memory and asks for its size",
    };
    let place = match &function.line {
        Some((file, line)) => format!(" at {}:{line}", escape(file)),
        None => String::new(),
    };
    let exported = match function.exports.is_empty() {
        true => String::new(),
        false => format!(", exported as {}", escape(&function.exports.join(", "))),
    };
    let (index, name) = (function.function, escape(&function.name));
    writeln!(f, "\nfunction {index} ({name}){place} {what}{exported}")?;
    function.wat.lines().try_for_each(|line| writeln!(f, "  {}", escape(line)))
}
