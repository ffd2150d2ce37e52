//! Who grew the memory, and whether it came to rest.

use std::collections::BTreeMap;

use crate::replay::heap::Growth;
use crate::report::{GrowthEntry, GrowthReport, GrowthSite, Trend};
use crate::trace::ContextId;

use super::Subject;

/// The growth log of an instance, grouped by stack.
pub fn describe(subject: &Subject<'_, '_>) -> GrowthReport {
    let growths = subject.instance.heap.growths();
    let mut by_context: BTreeMap<ContextId, (u64, u64)> = BTreeMap::new();
    for growth in growths {
        let (times, pages) =
            by_context.entry(subject.stacks.representative(growth.context)).or_default();
        if !growth.refused {
            *times += 1;
            *pages = growth.delta_pages.saturating_add(*pages);
        }
    }
    let mut sites: Vec<_> = by_context.into_iter().collect();
    sites.sort_by_key(|&(_, (_, pages))| std::cmp::Reverse(pages));
    let site_of: BTreeMap<ContextId, usize> =
        sites.iter().enumerate().map(|(index, (context, _))| (*context, index)).collect();
    GrowthReport {
        growths: growths.iter().filter(|g| !g.refused).count() as u64,
        refused: growths.iter().filter(|g| g.refused).count() as u64,
        trend: trend(subject, growths),
        log: growths
            .iter()
            .map(|growth| GrowthEntry {
                pages_before: growth.pages_before,
                pages_after: (!growth.refused)
                    .then(|| growth.pages_before.saturating_add(growth.delta_pages)),
                delta_pages: growth.delta_pages,
                in_allocator: growth.in_allocator,
                live_bytes: growth.live_bytes,
                allocations: growth.allocations,
                request: growth.request,
                site: site_of[&subject.stacks.representative(growth.context)],
            })
            .collect(),
        sites: sites
            .iter()
            .map(|&(context, (growths, pages))| GrowthSite {
                growths,
                pages,
                stack: subject.stacks.of(context),
            })
            .collect(),
    }
}

fn trend(subject: &Subject<'_, '_>, growths: &[Growth]) -> Trend {
    let totals = subject.instance.heap.totals();
    let of_allocations = totals.allocations + totals.reallocations;
    let Some(last) = growths.iter().rfind(|growth| !growth.refused) else {
        return Trend::NeverGrew;
    };
    let after_allocations = last.allocations;
    if after_allocations.saturating_mul(2) <= of_allocations {
        Trend::Steady { after_allocations, of_allocations }
    } else {
        Trend::Growing { after_allocations, of_allocations }
    }
}
