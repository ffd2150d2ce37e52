//! The growths of each memory by call stack, and whether it came to rest.

use std::collections::BTreeMap;

use crate::replay::heap::{AskedBy, Growth};
use crate::report::{GrowthEntry, GrowthReport, GrowthSite, Trend};
use crate::trace::ContextId;

use super::subject::{Memory, Subject};

/// The growth log of each memory, grouped by stack.
pub(crate) fn table(subject: &Subject<'_, '_>) -> Vec<GrowthReport> {
    subject.memories().map(describe).collect()
}

fn describe(memory: Memory<'_, '_>) -> GrowthReport {
    let growths = memory.heap().growths();
    let sites = sites(memory, growths);
    let site_of: BTreeMap<ContextId, usize> =
        sites.iter().enumerate().map(|(index, (context, _))| (*context, index)).collect();
    let entry = |growth: &Growth| entry(growth, site_of[&memory.place(growth.context)]);
    let refused = growths.iter().filter(|growth| growth.refused).count() as u64;
    GrowthReport {
        growths: growths.len() as u64 - refused,
        refused,
        trend: trend(memory, growths),
        log: growths.iter().map(entry).collect(),
        sites: sites
            .into_iter()
            .map(|(context, (growths, pages))| GrowthSite {
                growths,
                pages,
                stack: memory.stack(context),
            })
            .collect(),
    }
}

/// The places that grew the memory, most pages first: how often each succeeded, by how many pages.
fn sites(memory: Memory<'_, '_>, growths: &[Growth]) -> Vec<(ContextId, (u64, u64))> {
    let mut by_place: BTreeMap<ContextId, (u64, u64)> = BTreeMap::new();
    for growth in growths {
        let (times, pages) = by_place.entry(memory.place(growth.context)).or_default();
        if !growth.refused {
            *times += 1;
            *pages = growth.delta_pages.saturating_add(*pages);
        }
    }
    let mut sites: Vec<_> = by_place.into_iter().collect();
    sites.sort_by_key(|&(_, (_, pages))| std::cmp::Reverse(pages));
    sites
}

fn entry(growth: &Growth, site: usize) -> GrowthEntry {
    GrowthEntry {
        pages_before: growth.pages_before,
        pages_after: (!growth.refused)
            .then(|| growth.pages_before.saturating_add(growth.delta_pages)),
        delta_pages: growth.delta_pages,
        asked_by: growth.asked_by,
        live_bytes: growth.live_bytes,
        allocations: growth.allocations,
        request: growth.request,
        site,
    }
}

fn trend(memory: Memory<'_, '_>, growths: &[Growth]) -> Trend {
    let totals = memory.heap().totals();
    let of_allocations = totals.allocations + totals.reallocations;
    let Some(last) = growths.iter().rfind(|growth| !growth.refused) else {
        return Trend::NeverGrew;
    };
    // The allocation that asked for it counts.
    let after_allocations = last.allocations + u64::from(last.asked_by == AskedBy::Allocator);
    if last.allocations.saturating_mul(2) <= of_allocations {
        Trend::Steady { after_allocations, of_allocations }
    } else {
        Trend::Growing { after_allocations, of_allocations }
    }
}
