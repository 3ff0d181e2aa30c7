//! The heights of the layers, and the lines from box to box.
//!
//! Within the height of a layer lines go straight down, in the room that is theirs; between two
//! layers they may go anywhere, because there is nothing to cross but other lines.

use super::layers::{Kind, Layers};
use super::{Layout, Line, Link, Pixels, Point, Size};

/// The least distance between two layers, and how much of it very slanting lines may add.
const GAP: Pixels = 30.0;
const GAP_MORE_MAX: Pixels = 90.0;

/// Between two lanes, and between the layers and the first lane.
const LANE: Pixels = 16.0;

/// Between two lines at one side of a box, and between the last line and the corner.
const PORT: Pixels = 16.0;
const CORNER: Pixels = 22.0;

/// Draws everything, given the middle of each item.
pub(super) fn route(layers: &Layers, middles: &[Pixels], links: &[Link]) -> Layout {
    let items = || layers.items.iter().zip(middles);
    let edges = items().map(|(item, middle)| middle + item.size.width / 2.0);
    let right = edges.fold(0.0, Pixels::max);
    let lanes = layers.chains.iter().filter_map(|chain| chain.lane).max();
    let bands = bands(layers, middles);
    let size = Size {
        width: right + lanes.map_or(0.0, |last| LANE * (last as Pixels + 1.0)),
        height: bands.last().map_or(0.0, |band| band.bottom),
    };
    let router = Router { layers, middles, bands, right };
    let (starts, ends) = (router.ports(links, Side::Bottom), router.ports(links, Side::Top));
    let boxes = items().take_while(|(item, _)| item.kind == Kind::Box).map(|(item, middle)| {
        Point { x: middle - item.size.width / 2.0, y: router.bands[item.layer].top }
    });
    let boxes = boxes.collect();
    let lines = (0..links.len()).map(|link| router.line(link, starts[link], ends[link])).collect();
    Layout { size, boxes, lines }
}

/// From where to where a layer reaches.
#[derive(Clone, Copy)]
struct Band {
    top: Pixels,
    bottom: Pixels,
}

fn bands(layers: &Layers, middles: &[Pixels]) -> Vec<Band> {
    let mut top = 0.0;
    let band = |row: &Vec<usize>| {
        let heights = row.iter().map(|&item| layers.items[item].size.height);
        let bottom = top + heights.fold(0.0, Pixels::max);
        let slants = row.iter().flat_map(|&item| {
            layers.below[item].iter().map(move |&below| (middles[item] - middles[below]).abs())
        });
        let slant = slants.fold(0.0, Pixels::max);
        let band = Band { top, bottom };
        top = bottom + GAP + (slant / 12.0).min(GAP_MORE_MAX);
        band
    };
    layers.rows.iter().map(band).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Top,
    Bottom,
}

struct Router<'a> {
    layers: &'a Layers,
    middles: &'a [Pixels],
    bands: Vec<Band>,
    /// Where the lanes begin.
    right: Pixels,
}

impl Router<'_> {
    fn lane(&self, lane: usize) -> Pixels {
        self.right + LANE * (lane as Pixels + 1.0)
    }

    /// Where each link touches its box on that side: side by side, sorted by where the lines come
    /// from or go to.
    fn ports(&self, links: &[Link], side: Side) -> Vec<Pixels> {
        let mut touching: Vec<Vec<(Pixels, usize)>> = vec![Vec::new(); self.layers.items.len()];
        for (number, (link, chain)) in links.iter().zip(&self.layers.chains).enumerate() {
            let items = &chain.items;
            let (own, other, next_to_lane) = match side {
                Side::Bottom => (link.from, items[1], true),
                Side::Top => (link.to, items[items.len() - 2], items.len() == 2),
            };
            let x = match chain.lane {
                Some(lane) if next_to_lane => self.lane(lane),
                _ => self.middles[other],
            };
            touching[own].push((x, number));
        }
        let mut ports = vec![0.0; links.len()];
        for (item, mut lines) in touching.into_iter().enumerate() {
            lines.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let last = lines.len().saturating_sub(1) as Pixels;
            let room = (self.layers.items[item].size.width - 2.0 * CORNER).max(0.0);
            let step = if last > 0.0 { PORT.min(room / last) } else { 0.0 };
            for (place, (_, number)) in lines.into_iter().enumerate() {
                ports[number] = self.middles[item] + step * (place as Pixels - last / 2.0);
            }
        }
        ports
    }

    fn line(&self, link: usize, start: Pixels, end: Pixels) -> Line {
        let chain = &self.layers.chains[link];
        let (first, last) = (chain.items[0], chain.items[chain.items.len() - 1]);
        let from = &self.layers.items[first];
        let band = self.bands[from.layer];
        let mut part = vec![
            Point { x: start, y: band.top + from.size.height },
            Point { x: start, y: band.bottom },
        ];
        if let Some(lane) = chain.lane {
            let x = self.lane(lane);
            let next = self.layers.items[chain.items[1]].layer;
            part.push(Point { x, y: self.bands[from.layer + 1].top });
            part.push(Point { x, y: self.bands[next - 1].bottom });
        }
        let mut parts = Vec::new();
        let mut label = None;
        for &item in &chain.items[1..chain.items.len() - 1] {
            let (x, band) = (self.middles[item], self.bands[self.layers.items[item].layer]);
            part.push(Point { x, y: band.top });
            if self.layers.items[item].kind == Kind::Label {
                label = Some(Point { x, y: (band.top + band.bottom) / 2.0 });
                parts.push(std::mem::take(&mut part));
            }
            part.push(Point { x, y: band.bottom });
        }
        part.push(Point { x: end, y: self.bands[self.layers.items[last].layer].top });
        parts.push(part);
        Line { parts, label }
    }
}
