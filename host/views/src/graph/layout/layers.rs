//! Which layer holds which box, which bend of a line, and which text.
//!
//! A line that passes a layer has an item of its own in it, so that no box gets in its way. A
//! line with a text has it in a layer of texts right above its end. Lines that pass very many
//! layers go down a lane beside all of them instead.

use super::lanes::lanes;
use super::{Link, Size};

/// The most layers that one line may pass before it takes a lane: more bends than this are hard
/// to follow anyway.
const BENDS_PER_LINK_MAX: usize = 24;

/// The most bends of all lines together, so that a picture of many long lines stays small.
const BENDS_MAX: usize = 60_000;

/// Something that takes room in a layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) layer: usize,
    pub(super) size: Size,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Box,
    Bend,
    Label,
}

/// The way of one line.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    /// From box to box. Each item is in the layer after that of the item before, but for the
    /// second if there is a lane.
    pub(super) items: Vec<usize>,
    /// The number of the lane between the first item and the second.
    pub(super) lane: Option<usize>,
}

/// All items by layer.
#[derive(Debug)]
pub(super) struct Layers {
    /// The boxes by their number, then the rest.
    pub(super) items: Vec<Item>,
    /// For each layer its items from left to right.
    pub(super) rows: Vec<Vec<usize>>,
    /// For each item its neighbours in the layer above.
    pub(super) above: Vec<Vec<usize>>,
    /// For each item its neighbours in the layer below.
    pub(super) below: Vec<Vec<usize>>,
    /// One for each link.
    pub(super) chains: Vec<Chain>,
}

impl Layers {
    pub(super) fn new(boxes: &[Size], levels: &[usize], links: &[Link]) -> Self {
        let layer_of = layer_of_level(levels, links);
        let mut layers = Self {
            items: Vec::new(),
            rows: vec![Vec::new(); layer_of.last().map_or(0, |last| last + 1)],
            above: Vec::new(),
            below: Vec::new(),
            chains: Vec::with_capacity(links.len()),
        };
        for (&size, &level) in boxes.iter().zip(levels) {
            layers.add(Item { layer: layer_of[level], size, kind: Kind::Box });
        }
        let mut bends = 0;
        let mut far = Vec::new();
        for (number, link) in links.iter().enumerate() {
            let layers_between = layers.items[link.to].layer - layers.items[link.from].layer - 1;
            let wanted = layers_between - usize::from(link.label.is_some());
            if wanted > BENDS_PER_LINK_MAX || (wanted > 0 && bends + wanted > BENDS_MAX) {
                far.push(number);
                layers.chain(link, 0);
            } else {
                bends += wanted;
                layers.chain(link, wanted);
            }
        }
        for (number, lane) in lanes(&layers, links, &far) {
            layers.chains[number].lane = Some(lane);
        }
        layers.join();
        layers
    }

    fn add(&mut self, item: Item) -> usize {
        let number = self.items.len();
        self.rows[item.layer].push(number);
        self.items.push(item);
        number
    }

    fn chain(&mut self, link: &Link, bends: usize) {
        let mut items = vec![link.from];
        let first = self.items[link.from].layer + 1;
        for layer in first..first + bends {
            let size = Size { width: 0.0, height: 0.0 };
            items.push(self.add(Item { layer, size, kind: Kind::Bend }));
        }
        if let Some(size) = link.label {
            let layer = self.items[link.to].layer - 1;
            items.push(self.add(Item { layer, size, kind: Kind::Label }));
        }
        items.push(link.to);
        self.chains.push(Chain { items, lane: None });
    }

    /// Makes neighbours of what follows each other on a line.
    fn join(&mut self) {
        self.above = vec![Vec::new(); self.items.len()];
        self.below = vec![Vec::new(); self.items.len()];
        for chain in &self.chains {
            for pair in chain.items[usize::from(chain.lane.is_some())..].windows(2) {
                self.below[pair[0]].push(pair[1]);
                self.above[pair[1]].push(pair[0]);
            }
        }
    }
}

/// For each level the layer of its boxes. Between two levels is a layer for texts if a line
/// that ends on the lower one has a text.
fn layer_of_level(levels: &[usize], links: &[Link]) -> Vec<usize> {
    let mut labelled = vec![false; levels.iter().max().map_or(0, |last| last + 1)];
    for link in links.iter().filter(|link| link.label.is_some()) {
        labelled[levels[link.to]] = true;
    }
    let mut next = 0;
    let layer = |labelled: bool| {
        let layer = next + usize::from(labelled);
        next = layer + 1;
        layer
    };
    labelled.into_iter().map(layer).collect()
}
