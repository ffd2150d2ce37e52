//! Hot sites: the top of the profile, in five orders.

use std::cmp::Reverse;

use crate::report::{HotSite, HotSites, Profile, Site};

use super::subject::Subject;

/// For each memory the first sites of each order. Ties keep the order of the profile.
pub(crate) fn table(subject: &Subject<'_, '_>) -> Vec<HotSites> {
    let (profile, limit) = (subject.profile(), subject.options.hot_sites);
    (0..profile.memories.len()).map(|memory| rank(profile, memory, limit)).collect()
}

fn rank(profile: &Profile, memory: usize, limit: usize) -> HotSites {
    let top = |weight: fn(&Site) -> u64| -> Vec<HotSite> {
        let mut ranked: Vec<&Site> =
            profile.sites_of(memory).filter(|site| weight(site) > 0).collect();
        // Stable, so that equals keep their order.
        ranked.sort_by_key(|site| Reverse(weight(site)));
        ranked.into_iter().take(limit).map(|site| describe(profile, site)).collect()
    };
    HotSites {
        allocations: top(|site| site.total.blocks),
        bytes: top(|site| site.total.bytes),
        at_peak: top(|site| site.at_peak.bytes),
        temporary: top(|site| site.temporary),
        longest_lived: top(Site::mean_lifetime),
    }
}

fn describe(profile: &Profile, site: &Site) -> HotSite {
    HotSite {
        allocations: site.total.blocks,
        bytes: site.total.bytes,
        temporary: site.temporary,
        at_peak: site.at_peak,
        at_end: site.at_end,
        mean_lifetime: site.mean_lifetime(),
        stack: profile.stack_of(site),
    }
}
