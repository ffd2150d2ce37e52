//! Where allocations come from: the call stacks with the most of each.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::replay::heap::{Held, SiteTotals};
use crate::report::{HotSite, HotSites};
use crate::trace::ContextId;

use super::Subject;

/// The first `limit` call stacks of each category. Ties go to the context seen first.
pub fn rank(subject: &Subject<'_, '_>, limit: usize) -> HotSites {
    let heap = &subject.instance.heap;
    let totals = heap.totals();
    let now = totals.allocations + totals.reallocations;
    let mut sites: BTreeMap<ContextId, Site> = BTreeMap::new();
    for (context, totals) in heap.sites() {
        let place = subject.stacks.representative(context);
        sites.entry(place).or_default().add(&totals, heap.at_peak(&totals));
    }
    for block in heap.live().values() {
        let place = subject.stacks.representative(block.context);
        sites.entry(place).or_default().lifetime += now - block.serial;
    }
    let top = |key: &dyn Fn(&Site) -> u64| -> Vec<HotSite> {
        let mut ranked: Vec<_> = sites.iter().filter(|(_, site)| key(site) > 0).collect();
        ranked.sort_by_key(|&(context, site)| (Reverse(key(site)), context));
        ranked.truncate(limit);
        ranked.into_iter().map(|(context, site)| site.describe(subject, *context)).collect()
    };
    HotSites {
        allocations: top(&|site| site.allocations),
        bytes: top(&|site| site.bytes),
        at_peak: top(&|site| site.at_peak.bytes),
        temporary: top(&|site| site.temporary),
        longest_lived: top(&Site::mean_lifetime),
    }
}

/// The contexts that look the same to people, taken together.
#[derive(Default)]
struct Site {
    allocations: u64,
    bytes: u64,
    temporary: u64,
    at_peak: Held,
    at_end: Held,
    /// Sum of the lifetimes of all blocks, those that are alive included.
    lifetime: u64,
}

impl Site {
    fn add(&mut self, totals: &SiteTotals, at_peak: Held) {
        self.allocations += totals.allocations;
        self.bytes = self.bytes.saturating_add(totals.bytes);
        self.temporary += totals.temporary;
        self.at_peak += at_peak;
        self.at_end += totals.live;
        self.lifetime += totals.lifetime;
    }

    fn mean_lifetime(&self) -> u64 {
        self.lifetime / self.allocations.max(1)
    }

    fn describe(&self, subject: &Subject<'_, '_>, context: ContextId) -> HotSite {
        HotSite {
            allocations: self.allocations,
            bytes: self.bytes,
            temporary: self.temporary,
            at_peak: self.at_peak,
            at_end: self.at_end,
            mean_lifetime: self.mean_lifetime(),
            stack: subject.stacks.of(context),
        }
    }
}
