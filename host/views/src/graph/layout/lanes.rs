//! Which lane beside the layers a very long line goes down.
//!
//! Lines that leave the same box, or reach the same box, share a lane: they say the same.

use super::Link;
use super::layers::Layers;
use std::collections::BTreeMap;

/// The most lanes. Further lines lie on top of others, which no eye could tell apart anyway.
const LANES_MAX: usize = 24;

/// Long lines that share a box.
struct Bundle {
    /// The first layer that it passes.
    first: usize,
    /// The last layer that it passes.
    last: usize,
    links: Vec<usize>,
}

/// A lane for each of the links with the numbers `far`.
pub(super) fn lanes(layers: &Layers, links: &[Link], far: &[usize]) -> Vec<(usize, usize)> {
    let mut bundles = bundles(layers, links, far);
    bundles.sort_by_key(|bundle| (bundle.first, bundle.last));
    // For each lane the last layer in which it is taken.
    let mut taken: Vec<usize> = Vec::new();
    let mut found = Vec::with_capacity(far.len());
    for bundle in bundles {
        let free = taken.iter().position(|&last| last < bundle.first);
        let lane = free.unwrap_or_else(|| {
            if taken.len() < LANES_MAX {
                taken.push(0);
                return taken.len() - 1;
            }
            let ends = taken.iter().enumerate();
            ends.min_by_key(|&(_, last)| last).map_or(0, |(lane, _)| lane)
        });
        taken[lane] = taken[lane].max(bundle.last);
        found.extend(bundle.links.into_iter().map(|link| (link, lane)));
    }
    found
}

fn bundles(layers: &Layers, links: &[Link], far: &[usize]) -> Vec<Bundle> {
    let mut leaving: BTreeMap<usize, usize> = BTreeMap::new();
    let mut reaching: BTreeMap<usize, usize> = BTreeMap::new();
    for &number in far {
        *leaving.entry(links[number].from).or_default() += 1;
        *reaching.entry(links[number].to).or_default() += 1;
    }
    let mut bundles: BTreeMap<(bool, usize), Bundle> = BTreeMap::new();
    for &number in far {
        let Link { from, to, .. } = links[number];
        let together = reaching.get(&to) >= leaving.get(&from);
        let first = layers.items[from].layer + 1;
        let last = layers.items[to].layer - 1;
        let bundle = bundles
            .entry((together, if together { to } else { from }))
            .or_insert_with(|| Bundle { first, last, links: Vec::new() });
        bundle.first = bundle.first.min(first);
        bundle.last = bundle.last.max(last);
        bundle.links.push(number);
    }
    bundles.into_values().collect()
}
