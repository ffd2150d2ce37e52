//! The search for the allocator functions of a module: a ladder of evidence, strongest first.

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::ValType;

use super::above;
use super::code::Functions;
use super::names::FAMILIES;
use super::numbered_exports;
use super::operators;
use super::role::Layer;
use super::{
    Allocator, AllocatorFunction, Effect, Evidence, Hints, KNOWN_BY_CODE, KnownByCode, Role, Unseen,
};
use crate::error::{Error, ErrorKind, Result};
use crate::language;
use crate::module::symbolize::demangle;
use crate::module::{CallGraph, Module, SiteKind, Symbolizer};

impl Allocator {
    /// Looks for the allocator functions of a module.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`] when a hint names no function of the module or one whose
    /// type does not fit its role.
    pub(crate) fn discover(
        module: &Module<'_>,
        graph: &CallGraph,
        symbols: &Symbolizer<'_>,
        hints: &Hints,
    ) -> Result<Allocator> {
        let mut search = Search {
            module,
            found: BTreeMap::new(),
            notes: BTreeSet::new(),
            resizing: Vec::new(),
            aligning: Vec::new(),
            set_up: Vec::new(),
            put_before: 0,
            lonely: Vec::new(),
        };
        for (role, wanted) in hints {
            search.take_hint(*role, wanted)?;
        }
        search.take_names(symbols);
        search.take_known_by_code(graph);
        search.take_generic_exports(graph);
        search.leave_lonely();
        search.take_operators(graph);
        let Search { found, notes, resizing, aligning, set_up, put_before, lonely, .. } = search;
        let mut functions: Vec<_> = found
            .into_iter()
            .map(|(function, (role, evidence))| AllocatorFunction { function, role, evidence })
            .collect();
        functions.sort_by_key(|f| (f.role, f.function));
        let collector = language::collector(module);
        let candidates = match (functions.is_empty(), collector) {
            (true, None) => malloc_candidates(module, graph),
            _ => Vec::new(),
        };
        let mut notes: Vec<String> = notes.into_iter().collect();
        if let (true, Some(collector)) = (functions.is_empty(), collector) {
            notes.push(format!(
                "{collector} collects garbage; without names its allocator is not known"
            ));
        }
        let mut allocator = Allocator {
            functions,
            unseen: Vec::new(),
            notes,
            candidates,
            resizing,
            aligning,
            strangers: Vec::new(),
            lonely,
            state: Vec::new(),
            set_up,
            put_before,
        };
        allocator.unseen = allocator.find_unseen(module, graph);
        (allocator.state, allocator.strangers) = allocator.find_state(module, graph);
        Ok(allocator)
    }

    /// Finds every `memory.grow` that can be reached without passing a hooked function. What Emscripten exported once for its
    /// own glue, which `malloc` asks for more memory, does not count.
    fn find_unseen(&self, module: &Module<'_>, graph: &CallGraph) -> Vec<Unseen> {
        let hooked = self.hooked();
        let is_hooked = |node: u32| hooked.contains(&node);
        let roots: BTreeSet<u32> = module
            .exported_functions()
            .filter(|(name, _)| *name != "__growWasmMemory")
            .map(|(_, f)| f)
            .chain(module.start)
            .chain(module.address_taken.iter().copied())
            .collect();
        let open = graph.reachable(roots.iter().copied(), is_hooked);
        growers(module)
            .filter(|&grower| open[grower as usize])
            .map(|grower| {
                let leads_there = graph.reaching_past([grower], is_hooked);
                let entries = roots.iter().copied().filter(|&root| leads_there[root as usize]);
                Unseen { grower, entries: entries.take(MAX_LISTED).collect() }
            })
            .take(MAX_LISTED)
            .collect()
    }
}

/// Longest list of functions that a report is to show for one remark.
const MAX_LISTED: usize = 16;

struct Search<'m, 'a> {
    module: &'m Module<'a>,
    found: BTreeMap<u32, (Role, Evidence)>,
    notes: BTreeSet<String>,
    resizing: Vec<u32>,
    aligning: Vec<u32>,
    set_up: Vec<u32>,
    put_before: u64,
    lonely: Vec<u32>,
}

impl Search<'_, '_> {
    fn take_hint(&mut self, role: Role, wanted: &str) -> Result<()> {
        let function = self.function_named(wanted).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidRequest,
                format!("the module has no function `{wanted}` to take for {role}"),
            )
        })?;
        if !self.fits(role, function) {
            let ty =
                self.module.function_type(function).map(|ty| type_text(ty.params(), ty.results()));
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                format!(
                    "function {function} (`{wanted}`) has type {}, which is not that of {role}",
                    ty.unwrap_or_default(),
                ),
            ));
        }
        self.found.insert(function, (role, Evidence::Flag));
        Ok(())
    }

    /// An index, an exported name, or a name of the name section, demangled or not.
    fn function_named(&self, wanted: &str) -> Option<u32> {
        if let Ok(index) = wanted.parse::<u32>() {
            return ((index as usize) < self.module.functions.len()).then_some(index);
        }
        let exported = self.module.exported_functions().find(|(name, _)| *name == wanted);
        exported.map(|(_, f)| f).or_else(|| {
            let names = &self.module.names.functions;
            names
                .iter()
                .find(|(_, name)| **name == wanted || demangle(name) == wanted)
                .map(|(index, _)| *index)
        })
    }

    fn take_names(&mut self, symbols: &Symbolizer<'_>) {
        let exports: Vec<_> = self.module.exported_functions().collect();
        for (name, function) in exports {
            let (function, evidence) = self.innermost(name, function);
            self.take_name(name, function, || evidence);
        }
        let names: Vec<_> = self.module.names.functions.iter().map(|(i, n)| (*i, *n)).collect();
        for (function, name) in &names {
            self.take_name(name, *function, || Evidence::NameSection((*name).to_owned()));
        }
        if !names.is_empty() {
            return;
        }
        for function in self.module.imported_functions()..self.module.functions.len() as u32 {
            if let Some(name) = symbols.dwarf_function_name(self.module, function) {
                self.take_name(&name, function, || Evidence::Dwarf(name.clone()));
            }
        }
    }

    fn take_name(&mut self, name: &str, function: u32, evidence: impl FnOnce() -> Evidence) {
        if self.found.contains_key(&function) || function as usize >= self.module.functions.len() {
            return;
        }
        let name = plain_name(name);
        let families = FAMILIES.iter().filter(|family| !family.generic);
        let roles = || families.clone().flat_map(|f| f.names).filter(|(n, _)| *n == name);
        if let Some((_, role)) = roles().find(|(_, role)| self.fits(*role, function)) {
            self.found.insert(function, (*role, evidence()));
        } else if let (Some((_, role)), Some(ty)) =
            (roles().next(), self.module.function_type(function))
        {
            self.notes.insert(format!(
                "function {function} is named `{name}` but has type {}, which is not that of {role}: not hooked",
                type_text(ty.params(), ty.results()),
            ));
        }
    }

    /// An allocator without names that is known by its code, or what neither the user nor exports name of it.
    fn take_known_by_code(&mut self, graph: &CallGraph) {
        let has = |is: fn(&Evidence) -> bool| self.found.values().any(|(_, evidence)| is(evidence));
        if has(|evidence| matches!(evidence, Evidence::NameSection(_) | Evidence::Dwarf(_))) {
            return;
        }
        // The user's word counts; what exports say has to be what the code says.
        let flags = || self.found.iter().filter(|(_, (_, evidence))| *evidence == Evidence::Flag);
        let known = |role| flags().find(|(_, (r, _))| *r == role).map(|(f, _)| *f);
        let found = KNOWN_BY_CODE.iter().find_map(|search| search(self.module, graph, &known));
        let Some(KnownByCode { name, functions, resizing, aligning, set_up }) = found else {
            return;
        };
        let told = self.found.iter().filter(|(_, (_, evidence))| *evidence != Evidence::Flag);
        let told = told.map(|(&function, &(role, _))| (function, role));
        let above: Vec<(u32, Role)> = told.filter(|told| !functions.contains(told)).collect();
        let code = Functions(self.module);
        if !above.iter().all(|told| above::is_above(&code, *told, &functions)) {
            return;
        }
        self.put_before = above::header_bytes(&code, &above);
        for (function, _) in above {
            let evidence = self.found.remove(&function).map(|(_, evidence)| evidence.to_string());
            self.notes.insert(format!(
                "function {function} ({}) works with {name}'s functions, which are hooked instead of it",
                evidence.unwrap_or_default(),
            ));
        }
        self.notes.extend(resizing.iter().map(|function| {
            format!(
                "function {function} works on {name}'s blocks itself, as if the compiler had put \
                 realloc into it: blocks that it resizes where they are keep their old size here"
            )
        }));
        self.notes.extend(aligning.iter().map(|function| {
            format!(
                "function {function} gives out parts of {name}'s blocks, as if the compiler had put memalign into \
                 it: if it does so, neither misuse nor leaks are judged"
            )
        }));
        self.resizing = resizing;
        self.aligning = aligning;
        self.set_up = set_up;
        let roles: BTreeMap<u32, Role> = functions.into_iter().collect();
        // `malloc` of wasi-libc only calls `dlmalloc`. What is exported may do so too, and is the program's.
        let exported: BTreeSet<u32> = self.module.exported_functions().map(|(_, f)| f).collect();
        let defined = self.module.imported_functions()..self.module.functions.len() as u32;
        // A user that names functions means these.
        let is_told = !self.found.is_empty();
        let forwarding = defined.filter(|function| !is_told && !exported.contains(function));
        let forwarding = forwarding.filter_map(|f| Some((f, *roles.get(&self.forwards_to(f)?)?)));
        let forwarding: Vec<(u32, Role)> = forwarding.collect();
        for (function, role) in roles.into_iter().chain(forwarding) {
            let evidence = Evidence::Shape(name.to_owned());
            self.found.entry(function).or_insert((role, evidence));
        }
    }

    /// Exports such as `allocate` or `cabi_realloc`: hooked only where no function below them is,
    /// so that the event is recorded as deep as possible, with the frames above it.
    fn take_generic_exports(&mut self, graph: &CallGraph) {
        let beneath = graph.reaching(self.found.keys().copied());
        let named = self.module.exported_functions().filter_map(|(name, export)| {
            let families = FAMILIES.iter().filter(|family| family.generic);
            let roles = families.flat_map(|f| f.names).filter(|(n, _)| *n == name);
            let role = roles.map(|(_, role)| *role).find(|role| self.fits(*role, export))?;
            Some((name, export, role))
        });
        let mut exports: Vec<_> = named.collect();
        exports.extend(numbered_exports::search(self.module, graph, |role, f| self.fits(role, f)));
        for (name, export, role) in exports {
            let (function, evidence) = self.innermost(name, export);
            if !beneath[export as usize] {
                self.found.entry(function).or_insert((role, evidence));
            }
        }
    }

    /// C++'s operators that allocate past what was found.
    fn take_operators(&mut self, graph: &CallGraph) {
        let fits = |role, function| self.fits(role, function);
        self.found.append(&mut operators::search(self.module, graph, &self.found, fits));
    }

    /// A function that frees or reallocates says nothing where those that allocate are not found: each block would be
    /// a stranger to it. The user's word counts.
    fn leave_lonely(&mut self) {
        let found = self.found.clone();
        // What is known by its code belongs together, and Rust's functions may call methods of the default allocator.
        let is_of_default = |evidence: &Evidence| match evidence {
            Evidence::Shape(_) => true,
            Evidence::NameSection(name) => plain_name(name).starts_with("Dlmalloc::"),
            _ => false,
        };
        let has_allocating = |layer: Layer| {
            found.values().any(|(role, evidence)| {
                let is_of_layer =
                    role.layer() == layer || layer == Layer::Sized && is_of_default(evidence);
                is_of_layer && role.allocates()
            })
        };
        for (function, (role, evidence)) in &found {
            if *evidence != Evidence::Flag && !has_allocating(role.layer()) {
                self.found.remove(function);
                self.lonely.push(*function);
                self.notes.insert(format!(
                    "function {function} {} ({evidence}), but no function was found that allocates \
                     what it is given: not hooked",
                    if role.effect() == Effect::Frees { "frees" } else { "reallocates" }
                ));
            }
        }
    }

    /// The function in which an export ends that only passes its arguments on. To hook the export
    /// alone would miss calls of that function inside the module.
    fn innermost(&self, name: &str, export: u32) -> (u32, Evidence) {
        const LONGEST_CHAIN: usize = 8;
        let callees = std::iter::successors(Some(export), |&function| self.forwards_to(function));
        match callees.take(LONGEST_CHAIN).last() {
            Some(callee) if callee != export => {
                (callee, Evidence::ForwardedExport(name.to_owned()))
            }
            _ => (export, Evidence::Export(name.to_owned())),
        }
    }

    /// The function of the same type that `function` only passes its arguments on to. Around that,
    /// it may call what takes and returns nothing: `wasm-ld` lets the exports of a command run
    /// constructors and destructors.
    fn forwards_to(&self, function: u32) -> Option<u32> {
        let body = self.module.functions.get(function as usize)?.body.as_ref()?;
        let ty = self.module.function_type(function)?;
        // `local.get i` is two bytes for the first 128 locals.
        let pass_on: Vec<u8> = (0..ty.params().len() as u8).flat_map(|i| [0x20, i]).collect();
        let mut callee = None;
        let mut code = Vec::new();
        let mut from = body.code_start;
        for site in &body.sites {
            let (SiteKind::Call(called) | SiteKind::ReturnCall(called)) = site.kind else {
                return None;
            };
            code.extend_from_slice(self.module.bytes.get(from..site.offset)?);
            from = site.offset + site.len;
            let called_type = self.module.function_type(called)?;
            if called_type.params().is_empty() && called_type.results().is_empty() {
                continue;
            }
            if callee.is_some() || called_type != ty || code != pass_on {
                return None;
            }
            callee = Some(called);
            code.clear();
        }
        code.extend_from_slice(self.module.bytes.get(from..body.range.end)?);
        callee.filter(|_| matches!(code[..], [0x0b] | [0x0f, 0x0b]))
    }

    fn fits(&self, role: Role, function: u32) -> bool {
        let address = match self.module.memories.first() {
            Some(memory) if memory.is_64 => ValType::I64,
            _ => ValType::I32,
        };
        self.module
            .function_type(function)
            .is_some_and(|ty| role.fits(ty.params(), ty.results(), address))
    }
}

/// The functions that hold a `memory.grow` of memory 0.
pub(super) fn growers<'m>(module: &'m Module<'_>) -> impl Iterator<Item = u32> + 'm {
    module.functions.iter().enumerate().filter_map(|(index, function)| {
        let body = function.body.as_ref()?;
        let grows = body.sites.iter().any(|site| site.kind == SiteKind::MemoryGrow(0));
        grows.then_some(index as u32)
    })
}

/// How many direct calls of each function there are.
pub(super) fn calls_of_each(module: &Module<'_>) -> Vec<u32> {
    let mut calls = vec![0u32; module.functions.len()];
    for site in module.functions.iter().filter_map(|f| f.body.as_ref()).flat_map(|b| &b.sites) {
        if let SiteKind::Call(callee) = site.kind {
            calls[callee as usize] += 1;
        }
    }
    calls
}

/// Functions of `malloc`'s type that can lead to `memory.grow`, most called first.
fn malloc_candidates(module: &Module<'_>, graph: &CallGraph) -> Vec<u32> {
    let reaching = graph.reaching(growers(module));
    let calls = calls_of_each(module);
    let mut candidates: Vec<u32> = (module.imported_functions()..module.functions.len() as u32)
        .filter(|&f| reaching[f as usize] && !is_sbrk(module, f))
        .filter(|&f| {
            module
                .function_type(f)
                .is_some_and(|ty| ty.params() == [ValType::I32] && ty.results() == [ValType::I32])
        })
        .collect();
    candidates.sort_by_key(|&f| (std::cmp::Reverse(calls[f as usize]), f));
    candidates.truncate(MAX_LISTED);
    candidates
}

/// Whether a function moves the end of the memory, as `sbrk` does: it asks for the size, grows the memory, and
/// remembers nothing, so it hands out no blocks.
fn is_sbrk(module: &Module<'_>, function: u32) -> bool {
    let Some(body) = &module.functions[function as usize].body else { return false };
    let has = |kind| body.sites.iter().any(|site| site.kind == kind);
    has(SiteKind::MemoryGrow(0))
        && has(SiteKind::MemorySize(0))
        && body.statics.reads.is_empty()
        && body.statics.gets.is_empty()
}

/// A symbol without mangling, and without what differs from program to program:
/// `_RNvCs…_7___rustc12___rust_alloc` is `__rust_alloc`, and the `alloc` of any type that implements
/// `GlobalAlloc` is `GlobalAlloc::alloc`. The linker's `--wrap=malloc` calls what it puts in its place `__wrap_malloc`,
/// and Zig's C library its functions `c.malloc.free`.
fn plain_name(name: &str) -> String {
    let name = without_hashes(&demangle(name));
    let prefixes = ["__wrap_", "c.malloc."].into_iter();
    if let Some(plain) = prefixes.filter_map(|prefix| name.strip_prefix(prefix)).next() {
        return plain.to_owned();
    }
    let Some((path, last)) = name.rsplit_once("::") else { return name };
    if ["__rust_", "__rdl_", "__rg_"].iter().any(|prefix| last.starts_with(prefix)) {
        last.to_owned()
    } else if path.ends_with(" as core::alloc::global::GlobalAlloc>") {
        format!("GlobalAlloc::{last}")
    } else if path.contains("dlmalloc::dlmalloc::Dlmalloc<") && path.ends_with('>') {
        format!("Dlmalloc::{last}")
    } else {
        name
    }
}

/// A demangled name without the hashes of crates: wasm-bindgen writes `dlmalloc[ce1e1277b7e64b33]::dlmalloc`.
fn without_hashes(name: &str) -> String {
    let mut parts = name.split('[');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(']') {
            Some((hash, rest)) if is_hash(hash) => plain.push_str(rest),
            _ => {
                plain.push('[');
                plain.push_str(part);
            }
        }
    }
    plain
}

fn is_hash(text: &str) -> bool {
    const SHORTEST: usize = 8;
    text.len() >= SHORTEST && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn type_text(params: &[ValType], results: &[ValType]) -> String {
    let list =
        |types: &[ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!("({}) -> ({})", list(params), list(results))
}
