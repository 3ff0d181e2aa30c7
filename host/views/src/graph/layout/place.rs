//! How far to the right each item stands, without changing the order.
//!
//! Each layer in turn moves as close to where its neighbours would have it as the room
//! between its items allows: the least sum of squares, which pooling finds in one pass.

use super::Pixels;
use super::layers::{Item, Kind, Layers};

/// Sweeps down and up, after which lines are as straight as they get.
const SWEEPS: usize = 8;

/// The middle of each item. The left edge of all items together is at 0.
pub(super) fn place(layers: &Layers) -> Vec<Pixels> {
    let mut middles = vec![0.0; layers.items.len()];
    let offsets: Vec<Vec<Pixels>> = layers.rows.iter().map(|row| offsets(layers, row)).collect();
    for (row, offsets) in layers.rows.iter().zip(&offsets) {
        for (&item, &offset) in row.iter().zip(offsets) {
            middles[item] = offset;
        }
    }
    let count = layers.rows.len();
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        // The last two look both ways, so that no layer is left behind by its other neighbours.
        let both = sweep + 2 >= SWEEPS;
        for step in 0..count {
            let layer = if down { step } else { count - 1 - step };
            let wishes = layers.rows[layer].iter().map(|&item| {
                let above = down || both;
                let below = !down || both;
                wish(layers, item, above, below, &middles)
            });
            let wishes: Vec<Wish> = wishes.collect();
            for (&item, at) in layers.rows[layer].iter().zip(settle(&wishes, &offsets[layer])) {
                middles[item] = at;
            }
        }
    }
    let edge = |item: usize| middles[item] - layers.items[item].size.width / 2.0;
    let left = (0..middles.len()).map(edge).fold(Pixels::INFINITY, Pixels::min);
    middles.iter().map(|middle| middle - left).collect()
}

/// Where an item would like to be, and how much it matters.
struct Wish {
    at: Pixels,
    weight: f64,
}

/// The least distance of each item from the first of its row, from middle to middle.
fn offsets(layers: &Layers, row: &[usize]) -> Vec<Pixels> {
    let mut at = 0.0;
    let mut before: Option<&Item> = None;
    let offset = |&item: &usize| {
        let item = &layers.items[item];
        if let Some(before) = before.replace(item) {
            at += (before.size.width + item.size.width) / 2.0 + space(before.kind, item.kind);
        }
        at
    };
    row.iter().map(offset).collect()
}

/// The room between two items beside each other.
fn space(left: Kind, right: Kind) -> Pixels {
    match (left, right) {
        (Kind::Box, Kind::Box) => 28.0,
        (Kind::Bend, Kind::Bend) => 14.0,
        _ => 20.0,
    }
}

/// The average of the neighbours, those of long lines first of all, so that these are straight.
fn wish(layers: &Layers, item: usize, above: bool, below: bool, middles: &[Pixels]) -> Wish {
    let neighbours = [(above, &layers.above[item]), (below, &layers.below[item])];
    let (mut sum, mut weight) = (0.0, 0.0);
    for &other in neighbours.iter().filter(|(wanted, _)| *wanted).flat_map(|(_, some)| *some) {
        let pull = match (layers.items[item].kind, layers.items[other].kind) {
            (Kind::Box, Kind::Box) => 1.0,
            (Kind::Box, _) | (_, Kind::Box) => 2.0,
            _ => 8.0,
        };
        sum += pull * middles[other];
        weight += pull;
    }
    if weight > 0.0 {
        Wish { at: sum / weight, weight }
    } else {
        // It has no reason to move, and less reason to be in the way.
        Wish { at: middles[item], weight: 0.05 }
    }
}

/// The places closest to the wishes that keep at least the distances in `offsets`.
fn settle(wishes: &[Wish], offsets: &[Pixels]) -> Vec<Pixels> {
    /// Items that touch each other and so move as one.
    struct Block {
        sum: f64,
        weight: f64,
        count: usize,
    }
    let mut blocks: Vec<Block> = Vec::new();
    for (wish, offset) in wishes.iter().zip(offsets) {
        let sum = (wish.at - offset) * wish.weight;
        let mut block = Block { sum, weight: wish.weight, count: 1 };
        while let Some(left) =
            blocks.pop_if(|left| left.sum * block.weight > block.sum * left.weight)
        {
            block.sum += left.sum;
            block.weight += left.weight;
            block.count += left.count;
        }
        blocks.push(block);
    }
    let starts =
        blocks.iter().flat_map(|block| std::iter::repeat_n(block.sum / block.weight, block.count));
    starts.zip(offsets).map(|(start, offset)| start + offset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_as_close_to_their_wishes_as_the_room_allows() {
        let offsets = [0.0, 10.0, 20.0];
        let cases = [
            ([0.0, 10.0, 20.0], [0.0, 10.0, 20.0]),
            ([0.0, 50.0, 70.0], [0.0, 50.0, 70.0]),
            ([30.0, 30.0, 30.0], [20.0, 30.0, 40.0]),
            ([0.0, 5.0, 40.0], [-2.5, 7.5, 40.0]),
            ([40.0, 20.0, 0.0], [10.0, 20.0, 30.0]),
        ];
        for (wishes, expected) in cases {
            let wishes = wishes.map(|at| Wish { at, weight: 1.0 });
            assert_eq!(settle(&wishes, &offsets), expected);
        }
    }
}
