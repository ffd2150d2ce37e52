//! Where allocations come from: the call stacks with the most of each.

use std::cmp::Reverse;

use crate::event::ContextId;
use crate::heap::SiteTotals;
use crate::report::{HotSite, HotSites};

use super::Subject;

/// The first `limit` call stacks of each category. Ties go to the context seen first.
pub fn rank(subject: &Subject<'_>, limit: usize) -> HotSites {
    let heap = &subject.instance.heap;
    let lifetimes = lifetimes_of_live_blocks(subject);
    let mean_lifetime = |context: ContextId, site: &SiteTotals| {
        let alive = lifetimes.get(&context).copied().unwrap_or_default();
        (site.lifetime + alive) / (site.gone + site.live.blocks).max(1)
    };
    let sites: Vec<(ContextId, SiteTotals)> = heap.sites().collect();
    let top = |key: &dyn Fn(ContextId, &SiteTotals) -> u64| -> Vec<HotSite> {
        let mut ranked: Vec<_> = sites
            .iter()
            .map(|(context, site)| (key(*context, site), *context, site))
            .filter(|(key, _, _)| *key > 0)
            .collect();
        ranked.sort_by_key(|&(key, context, _)| (Reverse(key), context));
        ranked.truncate(limit);
        let described = ranked.into_iter().map(|(_, context, site)| HotSite {
            allocations: site.allocations,
            bytes: site.bytes,
            temporary: site.temporary,
            at_peak: heap.at_peak(site),
            at_end: site.live,
            mean_lifetime: mean_lifetime(context, site),
            stack: subject.stacks.of(context),
        });
        described.collect()
    };
    HotSites {
        allocations: top(&|_, site| site.allocations),
        bytes: top(&|_, site| site.bytes),
        at_peak: top(&|_, site| heap.at_peak(site).bytes),
        temporary: top(&|_, site| site.temporary),
        longest_lived: top(&mean_lifetime),
    }
}

/// The lifetimes that live blocks have so far, summed by context.
fn lifetimes_of_live_blocks(subject: &Subject<'_>) -> rustc_hash::FxHashMap<ContextId, u64> {
    let heap = &subject.instance.heap;
    let totals = heap.totals();
    let now = totals.allocations + totals.reallocations;
    let mut sums = rustc_hash::FxHashMap::default();
    for block in heap.live().values() {
        *sums.entry(block.context).or_default() += now - block.serial;
    }
    sums
}
