//! Which functions of a module allocate and free, on what evidence, and what is not covered.
//!
//! A module says nowhere "this is malloc". The ladder, strongest evidence first: what the user
//! says, exported names, the name section, DWARF subprograms, the shape of dlmalloc. A name only counts
//! when the function's type fits the role. Adding an allocator family is adding lines to `FAMILIES`.

mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use wasmparser::ValType;

use crate::call_graph::CallGraph;
use crate::error::{Error, ErrorKind, Result};
use crate::module::{Module, SiteKind};
use crate::symbolize::{Symbolizer, demangle};

/// What an allocator function does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// `malloc(size) -> pointer`
    Malloc,
    /// `calloc(count, size) -> pointer`
    Calloc,
    /// `realloc(pointer, new_size) -> pointer`
    Realloc,
    /// `reallocarray(pointer, count, size) -> pointer`
    ReallocArray,
    /// `free(pointer)`
    Free,
    /// `aligned_alloc(alignment, size) -> pointer`
    AlignedAlloc,
    /// `posix_memalign(pointer to result, alignment, size) -> error`
    PosixMemalign,
    /// `__rust_alloc(size, alignment) -> pointer`
    RustAlloc,
    /// `__rust_dealloc(pointer, size, alignment)`
    RustDealloc,
    /// `__rust_realloc(pointer, old_size, alignment, new_size) -> pointer`
    RustRealloc,
    /// `cabi_realloc(pointer, old_size, alignment, new_size) -> pointer`
    CabiRealloc,
    /// `__wbindgen_realloc(pointer, old_size, new_size, alignment) -> pointer`
    WbindgenRealloc,
    /// `dealloc(pointer, size)`
    SizedFree,
}

/// What one parameter of an allocator function means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Param {
    /// Bytes asked for.
    Size,
    /// Elements asked for; the size of each is in `Size`.
    Count,
    /// Alignment in bytes.
    Align,
    /// The block that is freed or resized.
    Pointer,
    /// The block's size, as its owner remembers it.
    OldSize,
    /// Where `posix_memalign` stores its result.
    ResultAddress,
}

/// What calling an allocator function does to the heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// A new block.
    Allocates,
    /// A block is gone.
    Frees,
    /// A block is resized, perhaps moved.
    Reallocates,
}

impl Role {
    /// Every role, in the order in which reports list them.
    pub const ALL: [Role; 13] = [
        Role::Malloc,
        Role::Calloc,
        Role::Realloc,
        Role::ReallocArray,
        Role::Free,
        Role::AlignedAlloc,
        Role::PosixMemalign,
        Role::RustAlloc,
        Role::RustDealloc,
        Role::RustRealloc,
        Role::CabiRealloc,
        Role::WbindgenRealloc,
        Role::SizedFree,
    ];

    /// The parameters, in order.
    pub fn params(self) -> &'static [Param] {
        use Param::{Align, Count, OldSize, Pointer, ResultAddress, Size};
        match self {
            Role::Malloc => &[Size],
            Role::Calloc => &[Count, Size],
            Role::Realloc => &[Pointer, Size],
            Role::ReallocArray => &[Pointer, Count, Size],
            Role::Free => &[Pointer],
            Role::AlignedAlloc => &[Align, Size],
            Role::PosixMemalign => &[ResultAddress, Align, Size],
            Role::RustAlloc => &[Size, Align],
            Role::RustDealloc => &[Pointer, OldSize, Align],
            Role::RustRealloc | Role::CabiRealloc => &[Pointer, OldSize, Align, Size],
            Role::WbindgenRealloc => &[Pointer, OldSize, Size, Align],
            Role::SizedFree => &[Pointer, OldSize],
        }
    }

    /// What a call does to the heap.
    pub fn effect(self) -> Effect {
        match self {
            Role::Free | Role::RustDealloc | Role::SizedFree => Effect::Frees,
            Role::Realloc
            | Role::ReallocArray
            | Role::RustRealloc
            | Role::CabiRealloc
            | Role::WbindgenRealloc => Effect::Reallocates,
            _ => Effect::Allocates,
        }
    }

    /// The name a user knows the role by: that of its flag.
    pub fn name(self) -> &'static str {
        match self {
            Role::Malloc => "malloc",
            Role::Calloc => "calloc",
            Role::Realloc => "realloc",
            Role::ReallocArray => "reallocarray",
            Role::Free => "free",
            Role::AlignedAlloc => "aligned_alloc",
            Role::PosixMemalign => "posix_memalign",
            Role::RustAlloc => "rust_alloc",
            Role::RustDealloc => "rust_dealloc",
            Role::RustRealloc => "rust_realloc",
            Role::CabiRealloc => "cabi_realloc",
            Role::WbindgenRealloc => "wbindgen_realloc",
            Role::SizedFree => "sized_free",
        }
    }

    /// Whether a function with these parameters and results can play the role.
    fn fits(self, params: &[ValType], results: &[ValType], address: ValType) -> bool {
        let result_fits = match (self, self.effect()) {
            (Role::PosixMemalign, _) => *results == [ValType::I32],
            (_, Effect::Frees) => results.is_empty(),
            _ => *results == [address],
        };
        result_fits
            && params.len() == self.params().len()
            && params.iter().all(|param| *param == address)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One family of names, and how far a name alone is to be trusted.
struct Family {
    names: &'static [(&'static str, Role)],
    /// The names are common words or thin wrappers: they count only as exports, and only when
    /// no function of a `core` family lies beneath them.
    generic: bool,
}

const FAMILIES: &[Family] = &[
    // The C library, and dlmalloc and Emscripten under their own names.
    Family {
        names: &[
            ("malloc", Role::Malloc),
            ("calloc", Role::Calloc),
            ("realloc", Role::Realloc),
            ("reallocarray", Role::ReallocArray),
            ("free", Role::Free),
            ("aligned_alloc", Role::AlignedAlloc),
            ("memalign", Role::AlignedAlloc),
            ("posix_memalign", Role::PosixMemalign),
            ("dlmalloc", Role::Malloc),
            ("dlcalloc", Role::Calloc),
            ("dlrealloc", Role::Realloc),
            ("dlfree", Role::Free),
            ("dlmemalign", Role::AlignedAlloc),
            ("dlposix_memalign", Role::PosixMemalign),
            ("emscripten_builtin_malloc", Role::Malloc),
            ("emscripten_builtin_calloc", Role::Calloc),
            ("emscripten_builtin_realloc", Role::Realloc),
            ("emscripten_builtin_free", Role::Free),
            ("emscripten_builtin_memalign", Role::AlignedAlloc),
            ("__libc_malloc", Role::Malloc),
            ("__libc_calloc", Role::Calloc),
            ("__libc_free", Role::Free),
        ],
        generic: false,
    },
    // Rust's global allocator; mangled names are demangled first.
    Family {
        names: &[
            ("__rust_alloc", Role::RustAlloc),
            ("__rust_alloc_zeroed", Role::RustAlloc),
            ("__rust_dealloc", Role::RustDealloc),
            ("__rust_realloc", Role::RustRealloc),
        ],
        generic: false,
    },
    // AssemblyScript's runtimes.
    Family {
        names: &[
            ("~lib/rt/tlsf/__alloc", Role::Malloc),
            ("~lib/rt/tlsf/__realloc", Role::Realloc),
            ("~lib/rt/tlsf/__free", Role::Free),
            ("~lib/rt/stub/__alloc", Role::Malloc),
            ("~lib/rt/stub/__realloc", Role::Realloc),
            ("~lib/rt/stub/__free", Role::Free),
        ],
        generic: false,
    },
    // Names under which a module hands its allocator to the host.
    Family {
        names: &[
            ("cabi_realloc", Role::CabiRealloc),
            ("canonical_abi_realloc", Role::CabiRealloc),
            ("__wbindgen_malloc", Role::RustAlloc),
            ("__wbindgen_malloc", Role::Malloc),
            ("__wbindgen_realloc", Role::WbindgenRealloc),
            ("__wbindgen_free", Role::RustDealloc),
            ("__wbindgen_free", Role::SizedFree),
            ("allocate", Role::Malloc),
            ("allocate", Role::RustAlloc),
            ("deallocate", Role::Free),
            ("deallocate", Role::SizedFree),
            ("deallocate", Role::RustDealloc),
            ("reallocate", Role::Realloc),
            ("alloc", Role::Malloc),
            ("alloc", Role::RustAlloc),
            ("dealloc", Role::Free),
            ("dealloc", Role::SizedFree),
            ("dealloc", Role::RustDealloc),
            ("_malloc", Role::Malloc),
            ("_free", Role::Free),
        ],
        generic: true,
    },
];

/// Why a function is taken for an allocator function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "name")]
pub enum Evidence {
    /// The user said so.
    Flag,
    /// It is exported under this name.
    Export(String),
    /// The export of this name only passes its arguments on to it.
    ForwardedExport(String),
    /// The name section calls it so.
    NameSection(String),
    /// DWARF calls it so.
    Dwarf(String),
    /// Its code is that of this allocator.
    Shape(String),
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Evidence::Flag => write!(f, "named by the user"),
            Evidence::Export(name) => write!(f, "exported as `{name}`"),
            Evidence::ForwardedExport(name) => {
                write!(f, "export `{name}` only passes its arguments on to it")
            }
            Evidence::NameSection(name) => write!(f, "named `{name}` in the name section"),
            Evidence::Dwarf(name) => write!(f, "named `{name}` in the debug information"),
            Evidence::Shape(name) => write!(f, "has the shape of {name}'s"),
        }
    }
}

/// One function that is hooked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocatorFunction {
    /// Its function index.
    pub function: u32,
    /// What it does.
    pub role: Role,
    /// Why it is taken for that.
    pub evidence: Evidence,
}

/// The allocator of a module, as far as it was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocator {
    /// The functions to hook, by role and then by index; no function appears twice.
    pub functions: Vec<AllocatorFunction>,
    /// Where pages can be asked for past the hooked functions.
    pub unseen: Vec<Unseen>,
    /// Names that were not trusted, and why.
    pub notes: Vec<String>,
    /// Where nothing was found: functions that look like `malloc`, most likely first.
    pub candidates: Vec<u32>,
    /// Functions into which the compiler has put `realloc`: what becomes of a block that they resize
    /// where it is, is not seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resizing: Vec<u32>,
}

/// A way to grow memory that no hook sees as an allocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unseen {
    /// The function that holds `memory.grow`.
    pub grower: u32,
    /// Functions that reach it without passing a hook; the ones nearest to an export or a table.
    pub entries: Vec<u32>,
}

/// Which functions the user says allocate: `(role, name or index)`.
pub type Hints = Vec<(Role, String)>;

impl Allocator {
    /// Looks for the allocator functions of a module.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`] when a hint names no function of the module or one whose
    /// type does not fit its role.
    pub fn discover(
        module: &Module<'_>,
        graph: &CallGraph,
        symbols: &Symbolizer<'_>,
        hints: &Hints,
    ) -> Result<Allocator> {
        let mut search =
            Search { module, found: BTreeMap::new(), notes: BTreeSet::new(), resizing: Vec::new() };
        for (role, wanted) in hints {
            search.take_hint(*role, wanted)?;
        }
        search.take_names(symbols);
        search.take_shapes(graph);
        search.take_generic_exports(graph);
        let Search { found, notes, resizing, .. } = search;
        let mut functions: Vec<_> = found
            .into_iter()
            .map(|(function, (role, evidence))| AllocatorFunction { function, role, evidence })
            .collect();
        functions.sort_by_key(|f| (f.role, f.function));
        let candidates =
            if functions.is_empty() { malloc_candidates(module, graph) } else { Vec::new() };
        let mut allocator = Allocator {
            functions,
            unseen: Vec::new(),
            notes: notes.into_iter().collect(),
            candidates,
            resizing,
        };
        allocator.unseen = allocator.find_unseen(module, graph);
        Ok(allocator)
    }

    /// The role of a function, if it is hooked.
    pub fn role(&self, function: u32) -> Option<Role> {
        self.functions.iter().find(|f| f.function == function).map(|f| f.role)
    }

    /// The functions to hook.
    pub fn hooked(&self) -> BTreeSet<u32> {
        self.functions.iter().map(|hooked| hooked.function).collect()
    }

    /// Finds every `memory.grow` that can be reached without passing a hooked function.
    fn find_unseen(&self, module: &Module<'_>, graph: &CallGraph) -> Vec<Unseen> {
        let hooked = self.hooked();
        let is_hooked = |node: u32| hooked.contains(&node);
        let roots: BTreeSet<u32> = module
            .exported_functions()
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
}

impl Search<'_, '_> {
    fn take_hint(&mut self, role: Role, wanted: &str) -> Result<()> {
        let function = self.function_named(wanted).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidRequest,
                format!("--{}: the module has no function `{wanted}`", flag_name(role)),
            )
        })?;
        if !self.fits(role, function) {
            let ty =
                self.module.function_type(function).map(|ty| type_text(ty.params(), ty.results()));
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                format!(
                    "--{}: function {function} (`{wanted}`) has type {}, which is not that of {role}",
                    flag_name(role),
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
            if let Some(name) = symbols.dwarf_function_name(function) {
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

    /// dlmalloc without names, or what the user did not name of it.
    fn take_shapes(&mut self, graph: &CallGraph) {
        let named = self.found.values().any(|(_, evidence)| *evidence != Evidence::Flag);
        if named || self.module.memories.first().is_none_or(|memory| memory.is_64) {
            return;
        }
        let known = |role| self.found.iter().find(|(_, (r, _))| *r == role).map(|(f, _)| *f);
        let shape::Dlmalloc { functions, resizing } = shape::dlmalloc(self.module, graph, known);
        self.notes.extend(resizing.iter().map(|function| {
            format!(
                "function {function} works on dlmalloc's chunks itself, as if the compiler had put \
                 realloc into it: blocks that it resizes where they are keep their old size here"
            )
        }));
        self.resizing = resizing;
        let roles: BTreeMap<u32, Role> = functions.into_iter().collect();
        // `malloc` of wasi-libc only calls `dlmalloc`. What is exported may do so too, and is the program's.
        let exported: BTreeSet<u32> = self.module.exported_functions().map(|(_, f)| f).collect();
        let defined = self.module.imported_functions()..self.module.functions.len() as u32;
        // Who names functions means these.
        let is_told = !self.found.is_empty();
        let forwarding = defined.filter(|function| !is_told && !exported.contains(function));
        let forwarding = forwarding.filter_map(|f| Some((f, *roles.get(&self.forwards_to(f)?)?)));
        let forwarding: Vec<(u32, Role)> = forwarding.collect();
        for (function, role) in roles.into_iter().chain(forwarding) {
            let evidence = Evidence::Shape("dlmalloc".to_owned());
            self.found.entry(function).or_insert((role, evidence));
        }
    }

    /// Exports such as `allocate` or `cabi_realloc`: hooked only where no function below them is,
    /// so that the event is recorded as deep as possible, with the frames above it.
    fn take_generic_exports(&mut self, graph: &CallGraph) {
        let beneath = graph.reaching(self.found.keys().copied());
        let exports: Vec<_> = self.module.exported_functions().collect();
        for (name, export) in exports {
            let families = FAMILIES.iter().filter(|family| family.generic);
            let roles = families.flat_map(|f| f.names).filter(|(n, _)| *n == name);
            let Some(role) = roles.map(|(_, role)| *role).find(|r| self.fits(*r, export)) else {
                continue;
            };
            let (function, evidence) = self.innermost(name, export);
            if beneath[export as usize] {
                continue;
            }
            self.found.entry(function).or_insert((role, evidence));
        }
    }

    /// The function in which an export ends that only passes its arguments on. To hook the export
    /// alone would miss what calls that function inside of the module.
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
fn growers<'m>(module: &'m Module<'_>) -> impl Iterator<Item = u32> + 'm {
    module.functions.iter().enumerate().filter_map(|(index, function)| {
        let body = function.body.as_ref()?;
        let grows = body.sites.iter().any(|site| site.kind == SiteKind::MemoryGrow(0));
        grows.then_some(index as u32)
    })
}

/// How many direct calls of each function there are.
fn calls_of_each(module: &Module<'_>) -> Vec<u32> {
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
        .filter(|&f| reaching[f as usize])
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

/// A symbol without mangling: `_RNvCs…_7___rustc12___rust_alloc` is `__rust_alloc`.
fn plain_name(name: &str) -> String {
    let name = demangle(name);
    match name.rsplit_once("::") {
        Some((_, last)) if last.starts_with("__rust_") => last.to_owned(),
        _ => name,
    }
}

fn flag_name(role: Role) -> String {
    role.name().replace('_', "-")
}

fn type_text(params: &[ValType], results: &[ValType]) -> String {
    let list =
        |types: &[ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!("({}) -> ({})", list(params), list(results))
}
