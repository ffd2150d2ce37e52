//! The list of finding codes: for each its name, its usual severity, its family and one sentence of
//! documentation. Everything that is said about a code follows from this list; a test compares
//! `docs/report-json.md` with it.

use serde::{Deserialize, Serialize};

use super::Severity;

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// What was not watched.
    Cover,
    /// Accesses of memory that are not right.
    Accesses,
    /// Misuse of the allocator.
    Misuse,
    /// A call that was repeated.
    Calls,
    /// What the sizes mean that a host read of its memories.
    Sizes,
    /// Allocations that failed.
    Failures,
    /// Blocks that leak.
    Leaks,
    /// Blocks that are left and are not a leak, or not judged.
    Left,
}

/// Defines [`Code`] from a table: variant, name, usual severity, family, what it means.
macro_rules! codes {
    ($($variant:ident $name:literal $severity:ident $family:ident $meaning:literal)*) => {
        /// What a finding is. Names are stable across versions.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $meaning] #[serde(rename = $name)] $variant,)*
        }

        impl Code {
            /// All codes, family by family.
            pub const ALL: &[Code] = &[$(Code::$variant),*];

            /// The code as reports write it, for example `leak-definite`.
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// The severity of its findings. In doubtful cases a finding may have another one.
            pub(crate) fn default_severity(self) -> Severity {
                match self { $(Code::$variant => Severity::$severity,)* }
            }

            /// What it means, in one sentence.
            #[cfg(test)]
            pub(crate) fn meaning(self) -> &'static str {
                match self { $(Code::$variant => $meaning,)* }
            }

            pub(crate) fn family(self) -> Family {
                match self { $(Code::$variant => Family::$family,)* }
            }
        }
    };
}

codes! {
    EventsMissing "events-missing" Warning Cover
        "Not all events of the memory were recorded."
    AllocationsUnseen "allocations-unseen" Note Cover
        "Code that is not the allocator's allocates or frees, too; or a function frees blocks of an allocator that was not found."

    AccessesUnchecked "accesses-unchecked" Note Cover
        "Accesses of the heap were not checked, because blocks may be allocated and freed unseen."
    FunctionsUnchecked "functions-unchecked" Note Cover
        "Accesses in some functions were not checked, because engines would refuse these functions with checks."

    BlockOverwritten "block-overwritten" Error Accesses
        "The bytes behind a block have changed, and no checked instruction wrote there."
    UseAfterFree "use-after-free" Error Accesses "A block was read or written after it had been freed."
    HeapOverflow "heap-overflow" Error Accesses "Memory past the end of a block was read or written."
    HeapUnderflow "heap-underflow" Error Accesses
        "Memory before the start of a block was read or written."
    UnallocatedAccess "unallocated-access" Error Accesses
        "Memory of the heap that no block owns was read or written."
    NullAccess "null-access" Error Accesses
        "Memory near NULL was read or written, where the module has nothing."
    HostAccess "host-access" Error Accesses
        "The host was given memory to read or to write that is freed, too short, or not there."

    DoubleFree "double-free" Error Misuse "A block was freed twice."
    InvalidFree "invalid-free" Error Misuse "A pointer that is not a block was freed."
    ReallocOfFreed "realloc-of-freed" Error Misuse "A freed block was reallocated."
    InvalidRealloc "invalid-realloc" Error Misuse "A pointer that is not a block was reallocated."
    WrongSize "wrong-size" Error Misuse
        "A block was freed or reallocated with a size other than its own."
    WrongAlignment "wrong-alignment" Error Misuse
        "A block was freed or reallocated with an alignment other than its own."
    Overlap "overlap" Error Misuse "The allocator handed out memory that is part of a live block."
    StalePointer "stale-pointer" Error Misuse
        "The host passed the address of a block that had been freed."

    NotReturned "not-returned" Warning Calls
        "A trap or an exception left a call of an exported function."
    CallFailed "call-failed" Error Calls "A repeated call failed."
    KeepsGrowing "keeps-growing" Error Calls
        "Memory or live bytes keep growing while a call is repeated."
    GrowsWithCalls "grows-with-calls" Warning Calls
        "Calls of an exported function keep growing the memory, and no blocks are known that explain it, or what the line makes is left to finalizers."

    StaleView "stale-view" Error Sizes
        "The program used a view that an earlier growth had detached."
    WitnessesDisagree "witnesses-disagree" Warning Sizes
        "A size that the program read disagrees with the recorded growths."
    WatchedIdleInstance "watched-idle-instance" Warning Sizes
        "The memory whose size was read belongs to an instance that allocated nothing between the readings, while others did."
    MeasuredTooEarly "measured-too-early" Warning Sizes
        "The size was read before the work was done."
    ForeignMemory "foreign-memory" Warning Sizes "No instance uses the memory whose size was read."
    BeyondTwoGib "beyond-2-gib" Note Sizes "A memory grew beyond 2 GiB, where addresses are negative for JavaScript."
    InstancePerCall "instance-per-call" Note Sizes "A module has many instances."
    Reused "reused" Note Sizes "The memory did not have to grow, because blocks were reused."
    RoomToSpare "room-to-spare" Note Sizes "The memory did not have to grow, because it had room."
    GrewAndHeld "grew-and-held" Note Sizes "The memory holds pages that nothing uses any more."

    MemoryRefused "memory-refused" Error Failures
        "The engine refused the program a memory, or an instance for want of memory."
    NotInstantiated "not-instantiated" Note Failures
        "An instance could not be made: imports did not fit, or the start function failed."
    NullIgnored "null-ignored" Error Failures
        "An allocation failed, and memory near NULL was written afterwards."
    AllocationFailed "allocation-failed" Note Failures
        "An allocation failed, and nothing near NULL was written afterwards."

    LeakDefinite "leak-definite" Error Leaks "Nothing points to the blocks."
    LeakIndirect "leak-indirect" Note Leaks "Only lost blocks point to the blocks."
    LeakPossible "leak-possible" Warning Leaks
        "Only pointers into the middle of the blocks are left."
    LeakHostHeld "leak-host-held" Warning Leaks
        "The host has, or may have, the blocks' addresses, and nothing in the guest points to the blocks."

    PerhapsLost "perhaps-lost" Note Left
        "Nothing in the memory points to the blocks, but a call that never returned may."
    StillReachable "still-reachable" Note Left "Blocks are still pointed to at the end."
    KeptByCalls "kept-by-calls" Note Left
        "Calls of one function go on to keep blocks, to which the module still points."
    OlderBlocks "older-blocks" Note Left
        "Blocks were freed that the module has in its data, from before the run."
    ObjectsLeft "objects-left" Note Left
        "More objects were made than freed, by the exported functions that do this, in a memory whose blocks were not seen."
    KeptOnce "kept-once" Note Left
        "A library holds blocks that it allocated once, as far as one can tell."
    WaitsForFinalizer "waits-for-finalizer" Note Left
        "The program left objects to finalizers, which free them when the engine collects garbage."
    StateOverwritten "state-overwritten" Note Left
        "The host wrote over the allocator's state, and the ledger of blocks started anew."
    NotJudged "not-judged" Note Left
        "Blocks are alive at the end, and linmem cannot judge whether they leak."
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the table of codes: code, severity, meaning.
    fn documented() -> Vec<[String; 3]> {
        let document = include_str!("../../../../docs/report-json.md");
        let table = document.split("| code | severity |").nth(1).expect("a table of codes");
        let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        rows.map(|row| {
            let mut cells = row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned());
            std::array::from_fn(|_| cells.next().expect("a cell"))
        })
        .collect()
    }

    /// A sentence as a cell of a table has it: without a capital and a full stop.
    fn in_a_cell(sentence: &str) -> String {
        let (first, rest) = sentence.split_at(1);
        first.to_lowercase() + rest.strip_suffix('.').expect("a sentence")
    }

    #[test]
    fn the_document_lists_the_codes() {
        let listed = Code::ALL.iter().map(|code| {
            let severity = format!("{:?}", code.default_severity()).to_lowercase();
            [format!("`{}`", code.name()), severity, in_a_cell(code.meaning())]
        });
        assert_eq!(documented(), listed.collect::<Vec<_>>());
    }

    #[test]
    fn json_writes_the_name() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_string(code).unwrap(), format!("\"{}\"", code.name()));
        }
    }
}
