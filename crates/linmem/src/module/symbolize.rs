//! Code offsets to functions and source lines: an offset in the original file in, frames out.
//!
//! DWARF is read lazily from the original file (or from the separate file that
//! `external_debug_info` names) and never rewritten. Names come from DWARF, the name section,
//! exports or imports, in this order; where none of them has one, it is `func[7]`.

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use addr2line::Context;
use gimli::{Dwarf, EndianSlice, LittleEndian};
use serde::{Deserialize, Serialize};
use wasmparser::{Parser, Payload};

use crate::module::Module;

type Bytes<'a> = EndianSlice<'a, LittleEndian>;

/// Turns code offsets of one module into names and lines.
pub struct Symbolizer<'a> {
    dwarf: Option<Context<Bytes<'a>>>,
    /// Whether debug information was set aside.
    is_unfitting: bool,
    has_info: bool,
    /// The file offset that DWARF counts code addresses from.
    code_start: usize,
}

/// One source-level frame; an inlined function is a frame of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SourceFrame {
    /// Function name, demangled.
    pub function: String,
    /// Source file as the compiler wrote it down.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
    /// Whether this frame was inlined into the next one.
    pub inlined: bool,
}

/// Whether a module has debug information that gives source lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SourceLines {
    /// It has.
    Known,
    /// It has no debug information.
    NoDebugInformation,
    /// Its debug information has no addresses: `wasm-opt` leaves it so.
    NoAddresses,
    /// Its debug information is of other code than the module's.
    Unfitting,
}

impl<'a> Symbolizer<'a> {
    /// Reads the debug information of `module`, or of `external` where it lies in a file of its
    /// own. Damaged debug information counts as none.
    pub fn new(module: &Module<'a>, external: Option<&'a [u8]>) -> Symbolizer<'a> {
        let sections = match external {
            Some(bytes) => custom_sections(bytes),
            None => module.custom_sections.clone(),
        };
        let section = |id: gimli::SectionId| {
            let found = sections.iter().find(|(name, _)| *name == id.name());
            Ok::<_, gimli::Error>(EndianSlice::new(found.map_or(&[][..], |s| s.1), LittleEndian))
        };
        let has_info = sections.iter().any(|(name, _)| *name == ".debug_info");
        let dwarf = has_info.then(|| Dwarf::load(section).ok()).flatten();
        let fitting = dwarf.filter(|dwarf| fits(dwarf, module));
        let is_unfitting = has_info && fitting.is_none();
        Symbolizer {
            dwarf: fitting.and_then(|dwarf| Context::from_dwarf(dwarf).ok()),
            is_unfitting,
            has_info,
            code_start: module.code_section.start,
        }
    }

    /// Whether there is debug information that gives source lines for any function.
    pub fn source_lines(&self, module: &Module<'_>) -> SourceLines {
        let Some(dwarf) = &self.dwarf else {
            return match (self.has_info, self.is_unfitting) {
                (false, _) => SourceLines::NoDebugInformation,
                (true, true) => SourceLines::Unfitting,
                (true, false) => SourceLines::NoAddresses,
            };
        };
        let mut bodies = module.functions.iter().filter_map(|f| f.body.as_ref());
        match bodies.any(|body| has_line(dwarf, (body.code_start - self.code_start) as u64)) {
            true => SourceLines::Known,
            false => SourceLines::NoAddresses,
        }
    }

    /// The frames at an instruction, innermost first: inlined functions, then the function that
    /// the instruction is compiled into. Never empty.
    pub fn frames(&self, module: &Module<'_>, function: u32, offset: usize) -> Vec<SourceFrame> {
        let mut frames = self.dwarf_frames(offset).unwrap_or_default();
        // DWARF may know the line but not the name, and code without line tables is not in it.
        if let Some(outermost) = frames.last_mut() {
            if outermost.function.is_empty() {
                outermost.function = self.function_name(module, function);
            }
        } else {
            frames.push(SourceFrame {
                function: self.function_name(module, function),
                file: None,
                line: None,
                column: None,
                inlined: false,
            });
        }
        frames
    }

    fn dwarf_frames(&self, offset: usize) -> Option<Vec<SourceFrame>> {
        let address = offset.checked_sub(self.code_start)? as u64;
        let dwarf = self.dwarf.as_ref()?;
        if !has_line(dwarf, address) {
            return None;
        }
        let mut found = dwarf.find_frames(address).skip_all_loads().ok()?;
        let mut frames = Vec::new();
        while let Some(frame) = found.next().ok()? {
            let name = frame.function.as_ref().and_then(|f| f.raw_name().ok());
            let location = frame.location.as_ref();
            frames.push(SourceFrame {
                function: name.map(|name| demangle(&name)).unwrap_or_default(),
                file: location.and_then(|l| l.file).map(plain_path),
                line: location.and_then(|l| l.line).filter(|line| *line > 0),
                column: location.and_then(|l| l.column).filter(|column| *column > 0),
                inlined: true,
            });
        }
        frames.last_mut()?.inlined = false;
        Some(frames)
    }

    /// The name of a function for people.
    pub fn function_name(&self, module: &Module<'_>, function: u32) -> String {
        if let Some(name) = module.names.functions.get(&function) {
            return demangle(name);
        }
        self.dwarf_function_name(module, function)
            .map(|name| demangle(&name))
            .or_else(|| module.function_name(function).map(demangle))
            .unwrap_or_else(|| format!("func[{function}]"))
    }

    /// The name that DWARF gives the function that is compiled into `function`, not demangled.
    pub fn dwarf_function_name(&self, module: &Module<'_>, function: u32) -> Option<String> {
        let body = module.functions.get(function as usize)?.body.as_ref()?;
        let address = body.code_start.checked_sub(self.code_start)? as u64;
        let dwarf = self.dwarf.as_ref()?;
        if !has_line(dwarf, address) {
            return None;
        }
        let mut found = dwarf.find_frames(address).skip_all_loads().ok()?;
        let mut outermost = None;
        while let Some(frame) = found.next().ok()? {
            outermost = frame.function;
        }
        Some(outermost?.raw_name().ok()?.into_owned())
    }

    /// Where a function starts in the sources.
    pub fn function_line(&self, module: &Module<'_>, function: u32) -> Option<(String, u32)> {
        let body = module.functions.get(function as usize)?.body.as_ref()?;
        let frame = self.frames(module, function, body.code_start).pop()?;
        Some((frame.file?, frame.line?))
    }
}

/// Subprograms that are looked at.
const MOST_SUBPROGRAMS: usize = 400;

/// Whether subprograms begin where functions of the code do. Tools that rewrite the code and leave the debug
/// information as it was make that wrong for most of them. Damaged debug information fits nothing.
fn fits(dwarf: &Dwarf<Bytes<'_>>, module: &Module<'_>) -> bool {
    let starts: BTreeSet<u64> = module
        .functions
        .iter()
        .filter_map(|function| function.body.as_ref())
        .map(|body| (body.range.start - module.code_section.start) as u64)
        .collect();
    let begin = subprograms(dwarf).unwrap_or_default();
    let right = begin.iter().filter(|address| starts.contains(address)).count();
    // Without any address nothing is wrong, and nothing is known.
    right * 10 >= begin.len() * 9
}

/// Where subprograms begin, except those that the linker dropped, which it puts at 0 and at the end of the address
/// space.
fn subprograms(dwarf: &Dwarf<Bytes<'_>>) -> gimli::Result<Vec<u64>> {
    const DROPPED: u64 = 0xffff_ff00;
    let mut begin = Vec::new();
    let mut units = dwarf.units();
    while let Some(header) = units.next()? {
        let unit = dwarf.unit(header)?;
        let mut entries = unit.entries();
        while let Some(entry) = entries.next_dfs()? {
            if entry.tag() != gimli::DW_TAG_subprogram {
                continue;
            }
            let low = entry.attr_value(gimli::DW_AT_low_pc);
            let low = low.map(|low| dwarf.attr_address(&unit, low)).transpose()?.flatten();
            begin.extend(low.filter(|low| (1..DROPPED).contains(low)));
            if begin.len() >= MOST_SUBPROGRAMS {
                return Ok(begin);
            }
        }
    }
    Ok(begin)
}

/// Whether the line table knows an address. `wasm-opt` without `-g` leaves functions in the
/// debug information, all at address 0, and takes their lines away; such names mean nothing.
fn has_line(dwarf: &Context<Bytes<'_>>, address: u64) -> bool {
    dwarf.find_location(address).is_ok_and(|location| location.is_some())
}

/// A source file without leading `./`, which compilers leave when directories are made relative.
fn plain_path(file: &str) -> String {
    let mut file = file;
    while let Some(rest) = file.strip_prefix("./") {
        file = rest;
    }
    file.replace("/./", "/")
}

/// A symbol as a person would write it: Rust (legacy and v0) and C++ names are demangled. One
/// that unfolds to more than anybody reads stays as it is.
pub fn demangle(name: &str) -> String {
    let demangled = demangled(name);
    // What clang calls a `main` with parameters.
    let is_main = |path: &str| path == "__main_argc_argv";
    let of_cpp = |path: &str| is_main(path) || path == "main";
    match demangled.split_once('(') {
        None if is_main(&demangled) => "main".to_owned(),
        Some((path, _)) if of_cpp(path) => "main".to_owned(),
        _ => demangled,
    }
}

fn demangled(name: &str) -> String {
    // A tool that puts another function in a symbol's place calls the first one so.
    let name = name.strip_prefix("orig$").unwrap_or(name);
    let mut text = Bounded(String::new());
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        if write!(text, "{rust:#}").is_ok() {
            return text.0;
        }
    } else if name.starts_with("_Z")
        && let Ok(symbol) = cpp_demangle::Symbol::new(name)
        && symbol.structured_demangle(&mut text, &Default::default()).is_ok()
    {
        return text.0;
    }
    path_of_mangled(name).unwrap_or_else(|| name.to_owned())
}

/// `std::make_shared` for a symbol of C++ whose arguments say more than the demangler knows: the names that it is nested
/// in, without arguments.
fn path_of_mangled(name: &str) -> Option<String> {
    let mut rest = name.strip_prefix("_ZN")?;
    let mut path = Vec::new();
    if let Some(inside) = rest.strip_prefix("St") {
        (path, rest) = (vec!["std"], inside);
    }
    while rest.starts_with(|first: char| first.is_ascii_digit()) {
        let digits = rest.find(|next: char| !next.is_ascii_digit())?;
        let (length, behind) = rest.split_at(digits);
        let part = behind.get(..length.parse().ok()?)?;
        rest = &behind[part.len()..];
        // Versions of the library are nested in `std`.
        if !part.starts_with("__") || path.len() != 1 {
            path.push(part);
        }
    }
    (path.len() > 1).then(|| path.join("::"))
}

/// Text that refuses to get long: mangled names can refer back to their own parts, so that a
/// short one unfolds to gigabytes.
struct Bounded(String);

impl Bounded {
    const LONGEST_BYTES: usize = 1 << 14;
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > Bounded::LONGEST_BYTES {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// The custom sections of a file that need not be a valid module otherwise.
fn custom_sections(bytes: &[u8]) -> Vec<(&str, &[u8])> {
    let payloads = Parser::new(0).parse_all(bytes).map_while(Result::ok);
    payloads
        .filter_map(|payload| match payload {
            Payload::CustomSection(section) => Some((section.name(), section.data())),
            _ => None,
        })
        .collect()
}

/// The name of the file that holds a module's debug information, if the module names one (as
/// `external_debug_info`). The rest of the module is not looked at.
pub fn debug_file_name(wasm: &[u8]) -> Option<&str> {
    let sections = custom_sections(wasm);
    let (_, data) = sections.into_iter().find(|(name, _)| *name == "external_debug_info")?;
    let mut reader = wasmparser::BinaryReader::new(data, 0);
    reader.read_string().ok()
}

/// Whether this is a section of DWARF data.
pub fn is_debug_section(name: &str) -> bool {
    name.starts_with(".debug_") || name.starts_with("reloc..debug_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_people_write_them() {
        assert_eq!(demangle("_ZN7Tracker5resetEv"), "Tracker::reset()");
        assert_eq!(demangle("orig$_ZN7Tracker5resetEv"), "Tracker::reset()");
        assert_eq!(demangle("malloc"), "malloc");
        for main in ["main", "__main_argc_argv", "_Z16__main_argc_argviPPc", "_Z4mainiPPc"] {
            assert_eq!(demangle(main), "main");
        }
        assert_eq!(demangle("_ZN3app4mainEv"), "app::main()");
    }

    /// A module of one function, which begins 1 byte into the code section, with debug information of a subprogram that
    /// begins there or elsewhere, and without lines.
    fn source_lines(begin: Option<u8>) -> SourceLines {
        let abbreviations =
            r#"(@custom ".debug_abbrev" "\01\11\01\00\00\02\2e\00\11\01\00\00\00")"#;
        let debug = begin.map(|begin| {
            let unit = r"\0e\00\00\00\04\00\00\00\00\00\04\01";
            format!(
                r#"{abbreviations} (@custom ".debug_info" "{unit}\02\{begin:02x}\00\00\00\00")"#
            )
        });
        let wasm =
            wat::parse_str(format!("(module (func) {})", debug.unwrap_or_default())).unwrap();
        let module = Module::parse(&wasm).unwrap();
        Symbolizer::new(&module, None).source_lines(&module)
    }

    #[test]
    fn why_there_are_no_source_lines_is_told_apart() {
        assert_eq!(source_lines(None), SourceLines::NoDebugInformation);
        let begins = |begin: u8| source_lines(Some(begin));
        let (fits, of_other_code) = (SourceLines::NoAddresses, SourceLines::Unfitting);
        let fitting: Vec<u8> = (1..8).filter(|begin| begins(*begin) == fits).collect();
        assert_eq!(fitting.len(), 1, "one function begins in one place: {fitting:?}");
        assert!((1..8).all(|begin| begins(begin) == fits || begins(begin) == of_other_code));
    }

    #[test]
    fn of_arguments_that_are_not_known_the_path_is_left() {
        let shared = "_ZNSt3__211make_sharedB8nn190107I4NodeJETnNS_9enable_ifIXntsr8is_arrayIT_EE5valueEiE4typeELi0EEENS_10shared_ptrIS3_EEDpOT0_";
        assert_eq!(demangle(shared), "std::make_shared");
        for damaged in ["_ZN", "_ZN9", "_ZN99999999999999999999x", "_ZN5short", "_ZN1\u{e9}"] {
            assert_eq!(demangle(damaged), damaged);
        }
    }
}
