//! What a report says besides its findings: one list of all sentences, and of the parts of sentences that can be false by
//! themselves. Renderers and analyses take their words from here, so that each has a counter-example
//! (`docs/counter-examples.md`).

/// Defines [`Sentence`] from a table: variant, text. `{}` stands for a number, a name or another sentence.
macro_rules! sentences {
    ($($variant:ident $text:literal)*) => {
        /// A sentence, or a part of one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Sentence {
            $(#[doc = $text] $variant,)*
        }

        impl Sentence {
            /// Its text, with `{}` where something is to be filled in.
            pub(crate) const fn text(self) -> &'static str {
                match self { $(Sentence::$variant => $text,)* }
            }
        }

        /// All that a report may say besides its findings. `{}` stands for a number, a name or another sentence.
        pub const SENTENCES: &[&str] = &[$($text),*];
    };
}

impl Sentence {
    /// Its text with these values filled in, one for each `{}`.
    pub(crate) fn with<const N: usize>(self, values: [&str; N]) -> String {
        let mut parts = self.text().split("{}");
        let mut said = parts.next().unwrap_or_default().to_owned();
        let mut values = values.into_iter();
        for part in parts {
            said.push_str(values.next().unwrap_or_default());
            said.push_str(part);
        }
        said
    }
}

sentences! {
    // The headline.
    Trapped "trapped"
    NotAllSeen "not all allocations were seen, so misuse and leaks were not judged"
    LeaksNotJudged "leaks were not judged: {}"
    NoInstance "no instance could be made of it"
    NothingRan "nothing ran but its initialisation, as it has no `_start`"
    NoAllocatorFunction "no allocator function was found, so only growth was watched"
    NoAllocation "no allocation was seen, so only growth was watched"
    NothingWrong "no problems found"
    NothingWrongUnchecked "no problems found, but accesses of the heap were not checked"
    NothingWrongPartlyChecked "no problems found, but accesses in {} were not checked"
    NothingWrongBut "no problems found, but {} left to finalizers"
    NothingWrongButKept "no problems found, but calls keep more and more: {}"
    NothingWrongButHeld "no problems found, but {} perhaps held by other threads"
    GrewUnseen "no problems found, but the memory grew {} past the functions that are hooked"
    RecordingStops "The recording stops before the program ended."

    // Findings that read alike.
    AlikeOfBlocks "{} in {} in {} ({}); in {}: {}"
    AlikeInMany "in {} ({}); in {}: {}"

    // How the program ended.
    ProgramTrapped "The program trapped: {}"
    ExitedWith "The program exited with code {}."

    // What the sizes mean that the program read, besides the findings.
    HereALeak "Here they show one: {}."
    SizesAgree "All {} that the program read, {}, agree with the growths recorded, and no instruction makes a memory smaller."

    // Repeated calls.
    LeftOnce "{} left {}"
    TooFewToTell "{} left {}: too few to tell whether that comes to rest"
    SteadyFromStart "steady: {}, {} from the start"
    SteadyAfter "steady after call {}: {}, {}"
    Growing "growing: {}, {}"
    CallFailed "call {} failed: {} left {}"
    BlocksNotSeen "blocks not seen"

    // A memory's blocks.
    HeapNotWatched "not watched: no allocation was seen"
    AtThatTime "{} in {}; {}, slack {}"
    NoneLeft "none"
    NotJudged "not judged: {}"
    DefinitelyLost "{} definitely lost"
    IndirectlyLost "{} indirectly lost"
    PossiblyLost "{} possibly lost"
    HeldByHost "{} held by the host"
    LeftToFinalizers "{} left to finalizers"
    PerhapsHeldByThreads "{} perhaps held by other threads"
    Reachable "{} reachable"
    OfStartUp "{} of the runtime's start-up"

    // Why they are not judged. Missing events are findings.
    StopsEarly "the recording stops before the program ended"
    NoSnapshot "it was not recorded what the memory held at the end"
    ThreadEnded "its thread was ended before linmem could look at it"
    InstanceCollected "the instance was garbage-collected before"
    CollectsGarbage "{} collects garbage, so what nothing points to is not lost"
    FramesOfTrap "the program trapped, and its frames may hold pointers that nobody can see"
    FramesOfExit "the program exited from inside a call, and its frames may hold pointers that nobody can see"

    // A memory's size.
    StartAndEnd "{} at start, {} at end, {}"
    AtMost "{} at most"
    NoMaximum "no maximum"
    NeverGrew "never grew"
    Grew "grew {}"
    SteadySince "grew {}, steady since allocation {} of {}"
    LastGrew "grew {}, the last time after allocation {} of {}"

    // Where it grew.
    OneGrowth "1 growth by {}"
    Growths "{}, {} in all"
    Refused "{} refused"
    FromTo "from {} to {}"
    FromRefused "from {} refused"
    ForAllocation "{} for an allocation of {}, with {} live"
    WithLive "{}, with {} live"

    // What is watched.
    NothingHooked "none: the module does not say which functions allocate"
    CouldBeMalloc "could be malloc, most called first: {}"
    GrowsPast "not seen: {} can grow the memory past these, from {}"
    AlsoWritten "not seen: the allocator's own data is also written by {}"
    OnlyMemoryZero "only memory 0 is watched; the module has {}"
    NoSourceLines "no source lines: {}"
    NoDebugInformation "the module has no debug information (-g)"
    NoAddresses "the debug information has no addresses, as wasm-opt leaves it; link without wasm-opt in PATH"
    OfOtherCode "the debug information is of other code, as wasm-opt of npm leaves it, and was set aside; link without wasm-opt, or run it before linmem sees the module"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_filled_in_in_their_order() {
        let said = Sentence::SteadySince.with(["twice", "3", "40"]);
        assert_eq!(said, "grew twice, steady since allocation 3 of 40");
        assert_eq!(Sentence::NeverGrew.with([]), "never grew");
        let with_braces = Sentence::ProgramTrapped.with(["{} {}"]);
        assert_eq!(with_braces, "The program trapped: {} {}", "a value is not looked at");
    }

    #[test]
    fn no_two_are_the_same() {
        let mut texts = SENTENCES.to_vec();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), SENTENCES.len());
    }
}
