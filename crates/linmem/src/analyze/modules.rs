//! The modules of a recording. To parse a large one takes longer than all the rest of a report, and it is known as soon as its
//! first instance is made.

use std::fmt;
use std::sync::Arc;

use self_cell::self_cell;

use crate::error::Result;
use crate::module::Module;
use crate::prepared::Prepared;
use crate::replay::{RecordedModule, Replay};

self_cell!(
    struct Parsed {
        owner: Arc<Vec<u8>>,
        #[covariant]
        dependent: Module,
    }
);

/// Those that were parsed while the recording went on: the first ones of a replay, in their order.
#[derive(Default)]
pub(super) struct Modules {
    parsed: Vec<Parsed>,
    /// The next one cannot be parsed. A report will say why.
    is_stuck: bool,
}

impl Modules {
    /// Parses the next module of a replay, if there is one more.
    pub fn parse_next(&mut self, replay: &Replay) {
        let next = replay.modules.get(self.parsed.len()).filter(|_| !self.is_stuck);
        match next.map(parsed) {
            Some(Ok(parsed)) => self.parsed.push(parsed),
            Some(Err(_)) => self.is_stuck = true,
            None => {}
        }
    }

    /// Calls a function with all modules of a replay. Those that have not been parsed are parsed now.
    pub fn all<R>(&self, replay: &Replay, of: impl FnOnce(&[Prepared<'_>]) -> R) -> Result<R> {
        let rest = replay.modules[self.parsed.len()..].iter().map(parsed);
        let rest = rest.collect::<Result<Vec<_>>>()?;
        let modules = self.parsed.iter().chain(&rest).map(Parsed::borrow_dependent).cloned();
        let modules = modules.zip(&replay.modules);
        let prepared =
            modules.map(|(module, recorded)| Prepared::recorded(module, &recorded.allocator));
        Ok(of(&prepared.collect::<Vec<_>>()))
    }
}

fn parsed(module: &RecordedModule) -> Result<Parsed> {
    Parsed::try_new(Arc::clone(&module.bytes), |bytes| Module::parse(bytes))
}

impl fmt::Debug for Modules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} modules", self.parsed.len())
    }
}
