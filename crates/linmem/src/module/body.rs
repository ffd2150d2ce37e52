//! What is kept of a function's body: the instructions that call, take a reference or ask about a
//! memory's size, and the static addresses that the code mentions.

use std::collections::BTreeSet;
use std::ops::Range;

use wasmparser::{BinaryReader, FunctionBody, Operator, Parser, Payload, TypeRef};

use super::statics::{Follower, Statics};

/// What is kept of a function body.
#[derive(Debug, Clone)]
pub struct Body {
    /// The body in the file, local declarations included.
    pub range: Range<usize>,
    /// Where the first instruction starts.
    pub code_start: usize,
    /// Number of groups of local declarations.
    pub local_groups: u32,
    /// Parameters and declared locals together.
    pub locals: u32,
    /// The instructions that matter, in order.
    pub sites: Vec<Site>,
    /// Addresses of the static words that the function loads or stores, sorted, without
    /// repetition: compilers put the address of a static variable into the instruction's offset.
    pub static_words: Vec<u64>,
    /// What it reads and writes at fixed places.
    pub statics: Statics,
    /// All constants and offsets that may be addresses of static data, sorted, without repetition.
    pub static_addresses: Vec<u64>,
}

/// No static data lies below this address, while offsets of fields rarely are above it.
const LOWEST_STATIC_ADDRESS: u64 = 1024;

/// One instruction that calls, takes a reference, or asks about a memory's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    /// Offset of the instruction in the file.
    pub offset: usize,
    /// Length of the instruction in bytes.
    pub len: usize,
    /// What it does.
    pub kind: SiteKind,
}

/// What a [`Site`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteKind {
    /// `call f`
    Call(u32),
    /// `return_call f`
    ReturnCall(u32),
    /// `call_indirect`, `call_ref` or their tail forms, with the index of the function type.
    CallIndirect(u32),
    /// `ref.func f`
    RefFunc(u32),
    /// `memory.grow m`
    MemoryGrow(u32),
    /// `memory.size m`
    MemorySize(u32),
}

impl SiteKind {
    /// Whether it calls a function.
    pub fn is_call(self) -> bool {
        matches!(self, SiteKind::Call(_) | SiteKind::ReturnCall(_) | SiteKind::CallIndirect(_))
    }
}

impl Body {
    /// Reads and validates a body, and adds what it does to globals.
    pub(super) fn read(
        body: &wasmparser::FunctionBody<'_>,
        validator: &mut wasmparser::FuncValidator<wasmparser::ValidatorResources>,
        adjustments: &mut BTreeSet<Adjustment>,
    ) -> wasmparser::Result<Body> {
        let mut locals = body.get_binary_reader();
        validator.read_locals(&mut locals)?;
        let code_start = locals.original_position();
        let mut sites = Vec::new();
        let mut static_words = Vec::new();
        let mut static_addresses = Vec::new();
        let mut follower = Follower::default();
        let mut adjusting = Adjusting::default();
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            let (operator, offset) = reader.read_with_offset()?;
            follower.operator(&operator, validator.operand_stack_height(), validator);
            validator.op(offset, &operator)?;
            adjustments.extend(adjusting.operator(&operator));
            let Some(kind) = SiteKind::of(&operator) else {
                let is_static = |address: &u64| *address >= LOWEST_STATIC_ADDRESS;
                static_words.extend(word_offset(&operator).filter(is_static));
                static_addresses.extend(mentioned(&operator).filter(is_static));
                continue;
            };
            sites.push(Site { offset, len: reader.original_position() - offset, kind });
        }
        reader.finish()?;
        for addresses in [&mut static_words, &mut static_addresses] {
            addresses.sort_unstable();
            addresses.dedup();
        }
        Ok(Body {
            range: body.range(),
            code_start,
            local_groups: body.get_locals_reader()?.get_count(),
            locals: validator.len_locals(),
            sites,
            static_words,
            statics: follower.finish(),
            static_addresses,
        })
    }

    /// All instructions, given the bytes of the module, which is valid.
    pub fn operators<'m>(&self, module: &'m [u8]) -> impl Iterator<Item = Operator<'m>> + use<'m> {
        self.operators_with_offsets(module).map(|(operator, _)| operator)
    }

    /// The same, each with where it stands in the file.
    pub fn operators_with_offsets<'m>(
        &self,
        module: &'m [u8],
    ) -> impl Iterator<Item = (Operator<'m>, Range<usize>)> + use<'m> {
        let bytes = module.get(self.range.clone()).unwrap_or_default();
        let body = FunctionBody::new(BinaryReader::new(bytes, self.range.start));
        let mut reader = body.get_operators_reader().ok();
        std::iter::from_fn(move || {
            let reader = reader.as_mut()?;
            let (operator, offset) = reader.read_with_offset().ok()?;
            Some((operator, offset..reader.original_position()))
        })
    }
}

/// A constant is added to a global, or subtracted from it: so a function makes room on the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Adjustment {
    /// The global.
    pub global: u32,
    /// Whether it gets larger.
    pub is_up: bool,
}

/// Follows what adjusts globals.
#[derive(Default)]
enum Adjusting {
    #[default]
    Nothing,
    /// The global is on the stack.
    Got(u32),
    /// And a constant.
    Constant(u32),
    /// Their sum, or their difference.
    Result(Adjustment),
}

impl Adjusting {
    /// The adjustment that this instruction completes.
    fn operator(&mut self, operator: &Operator<'_>) -> Option<Adjustment> {
        *self = match (&*self, operator) {
            (_, Operator::GlobalGet { global_index }) => Adjusting::Got(*global_index),
            // Its value is kept, to be put back.
            (Adjusting::Got(global), Operator::LocalTee { .. }) => Adjusting::Got(*global),
            (Adjusting::Got(global), Operator::I32Const { value: 1.. }) => {
                Adjusting::Constant(*global)
            }
            (&Adjusting::Constant(global), Operator::I32Add) => {
                Adjusting::Result(Adjustment { global, is_up: true })
            }
            (&Adjusting::Constant(global), Operator::I32Sub) => {
                Adjusting::Result(Adjustment { global, is_up: false })
            }
            (&Adjusting::Result(done), Operator::LocalTee { .. }) => Adjusting::Result(done),
            (&Adjusting::Result(done), Operator::GlobalSet { global_index })
                if *global_index == done.global =>
            {
                *self = Adjusting::Nothing;
                return Some(done);
            }
            _ => Adjusting::Nothing,
        };
        None
    }
}

/// Where the code of each function of a module ends in the file, and the function's index, in order. Of a file that is
/// damaged, as far as it can be read.
pub fn code_ends(file: &[u8]) -> Vec<(usize, u32)> {
    let (mut imported, mut ends) = (0, Vec::new());
    for payload in Parser::new(0).parse_all(file).map_while(Result::ok) {
        match payload {
            Payload::ImportSection(imports) => {
                let imports = imports.into_imports().map_while(Result::ok);
                let functions = imports.filter(|import| matches!(import.ty, TypeRef::Func(_)));
                imported = functions.count() as u32;
            }
            Payload::CodeSectionEntry(body) => {
                ends.push((body.range().end, imported + ends.len() as u32));
            }
            _ => {}
        }
    }
    ends
}

impl SiteKind {
    fn of(operator: &Operator<'_>) -> Option<SiteKind> {
        Some(match *operator {
            Operator::Call { function_index } => SiteKind::Call(function_index),
            Operator::ReturnCall { function_index } => SiteKind::ReturnCall(function_index),
            Operator::CallIndirect { type_index, .. }
            | Operator::ReturnCallIndirect { type_index, .. }
            | Operator::CallRef { type_index }
            | Operator::ReturnCallRef { type_index } => SiteKind::CallIndirect(type_index),
            Operator::RefFunc { function_index } => SiteKind::RefFunc(function_index),
            Operator::MemoryGrow { mem } => SiteKind::MemoryGrow(mem),
            Operator::MemorySize { mem } => SiteKind::MemorySize(mem),
            _ => return None,
        })
    }
}

/// The offset in a load or store of a 32-bit word.
fn word_offset(operator: &Operator<'_>) -> Option<u64> {
    match operator {
        Operator::I32Load { memarg } | Operator::I32Store { memarg } => Some(memarg.offset),
        _ => None,
    }
}

/// A constant, or the offset in a load or store.
fn mentioned(operator: &Operator<'_>) -> Option<u64> {
    use Operator::{
        F32Load, F32Store, F64Load, F64Store, I32Const, I32Load, I32Load8S, I32Load8U, I32Load16S,
        I32Load16U, I32Store, I32Store8, I32Store16, I64Const, I64Load, I64Load8S, I64Load8U,
        I64Load16S, I64Load16U, I64Load32S, I64Load32U, I64Store, I64Store8, I64Store16,
        I64Store32, V128Load, V128Store,
    };
    match *operator {
        I32Const { value } => Some(u64::from(value as u32)),
        I64Const { value } => Some(value as u64),
        F32Load { memarg }
        | F32Store { memarg }
        | F64Load { memarg }
        | F64Store { memarg }
        | I32Load { memarg }
        | I32Load8S { memarg }
        | I32Load8U { memarg }
        | I32Load16S { memarg }
        | I32Load16U { memarg }
        | I32Store { memarg }
        | I32Store8 { memarg }
        | I32Store16 { memarg }
        | I64Load { memarg }
        | I64Load8S { memarg }
        | I64Load8U { memarg }
        | I64Load16S { memarg }
        | I64Load16U { memarg }
        | I64Load32S { memarg }
        | I64Load32U { memarg }
        | I64Store { memarg }
        | I64Store8 { memarg }
        | I64Store16 { memarg }
        | I64Store32 { memarg }
        | V128Load { memarg }
        | V128Store { memarg } => Some(memarg.offset),
        _ => None,
    }
}
