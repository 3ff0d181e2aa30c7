//! The order of the items in each layer, from left to right, with few crossings of lines.
//!
//! Sweeps down and up sort each layer by where the neighbours stand on average (the
//! barycentre); then pairs change places where that helps. The best order seen is kept.

use super::layers::Layers;

/// Sweeps after which nothing much gets better.
const SWEEPS_MAX: usize = 10;

/// Orders `layers.rows`. What does not cross at the beginning stays in its order.
pub(super) fn order(layers: &mut Layers) {
    let mut positions = vec![0; layers.items.len()];
    layers.rows.iter().for_each(|row| number(row, &mut positions));
    let mut best = layers.rows.clone();
    let mut fewest = crossings(layers, &positions);
    for sweep in 0..SWEEPS_MAX {
        if fewest == 0 {
            break;
        }
        let down = sweep % 2 == 0;
        let count = layers.rows.len();
        for step in 0..count {
            let layer = if down { step } else { count - 1 - step };
            sort(layers, layer, down, &mut positions);
        }
        for layer in 0..count {
            swap(layers, layer, &mut positions);
        }
        let now = crossings(layers, &positions);
        if now < fewest {
            fewest = now;
            best.clone_from(&layers.rows);
        }
    }
    layers.rows = best;
}

/// Notes for each item of `row` the place that it has.
fn number(row: &[usize], positions: &mut [usize]) {
    for (position, &item) in row.iter().enumerate() {
        positions[item] = position;
    }
}

/// Sorts a layer by the average place of the neighbours above (or below). Items without any
/// keep their place.
fn sort(layers: &mut Layers, layer: usize, down: bool, positions: &mut [usize]) {
    let neighbours = if down { &layers.above } else { &layers.below };
    // As a part of the row, because rows differ in length.
    let part = |item: usize| {
        let row = &layers.rows[layers.items[item].layer];
        (positions[item] as f64 + 0.5) / row.len() as f64
    };
    let key = |item: usize| match &neighbours[item][..] {
        [] => part(item),
        some => some.iter().map(|&other| part(other)).sum::<f64>() / some.len() as f64,
    };
    let mut keyed: Vec<(f64, usize)> =
        layers.rows[layer].iter().map(|&item| (key(item), item)).collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    layers.rows[layer] = keyed.into_iter().map(|(_, item)| item).collect();
    number(&layers.rows[layer], positions);
}

/// Changes the places of two items beside each other wherever fewer lines cross then.
fn swap(layers: &mut Layers, layer: usize, positions: &mut [usize]) {
    let row = &mut layers.rows[layer];
    for place in 1..row.len() {
        let (left, right) = (row[place - 1], row[place]);
        let (mut now, mut then) = (0, 0);
        for neighbours in [&layers.above, &layers.below] {
            let places = |item: usize| {
                let mut places: Vec<_> = neighbours[item].iter().map(|&n| positions[n]).collect();
                places.sort_unstable();
                places
            };
            let (of_left, of_right) = (places(left), places(right));
            now += inversions(&of_left, &of_right);
            then += inversions(&of_right, &of_left);
        }
        if then < now {
            row.swap(place - 1, place);
            positions[left] = place;
            positions[right] = place - 1;
        }
    }
}

/// The pairs of which the first member, from `left`, is greater than the second, from `right`.
/// Both are sorted.
fn inversions(left: &[usize], right: &[usize]) -> usize {
    let mut smaller = 0;
    let count = |&from_left: &usize| {
        while right.get(smaller).is_some_and(|&from_right| from_right < from_left) {
            smaller += 1;
        }
        smaller
    };
    left.iter().map(count).sum()
}

/// How many pairs of lines cross, over all layers.
fn crossings(layers: &Layers, positions: &[usize]) -> usize {
    layers
        .rows
        .windows(2)
        .map(|rows| crossings_between(layers, &rows[0], &rows[1], positions))
        .sum()
}

/// Goes over the lines from left to right at their upper ends and counts, for each, the lines
/// seen before that end to the right of it (with a Fenwick tree over the lower row).
fn crossings_between(
    layers: &Layers,
    upper: &[usize],
    lower: &[usize],
    positions: &[usize],
) -> usize {
    let mut tree = vec![0_usize; lower.len() + 1];
    let (mut crossings, mut seen) = (0, 0);
    let mut ends = Vec::new();
    for &item in upper {
        ends.clear();
        ends.extend(layers.below[item].iter().map(|&below| positions[below] + 1));
        for &end in &ends {
            let mut not_right = 0;
            let mut at = end;
            while at > 0 {
                not_right += tree[at];
                at &= at - 1;
            }
            crossings += seen - not_right;
        }
        // Only now, because lines from one point do not cross.
        for &end in &ends {
            let mut at = end;
            while at < tree.len() {
                tree[at] += 1;
                at += at & at.wrapping_neg();
            }
        }
        seen += ends.len();
    }
    crossings
}

#[cfg(test)]
mod tests {
    use super::super::{Link, Size};
    use super::*;

    fn two_rows(upper: usize, lower: usize, pairs: &[(usize, usize)]) -> Layers {
        let levels: Vec<_> = (0..upper + lower).map(|n| usize::from(n >= upper)).collect();
        let links: Vec<_> =
            pairs.iter().map(|&(from, to)| Link { from, to: upper + to, label: None }).collect();
        Layers::new(&vec![Size { width: 1.0, height: 1.0 }; upper + lower], &levels, &links)
    }

    fn count(layers: &Layers) -> usize {
        let mut positions = vec![0; layers.items.len()];
        layers.rows.iter().for_each(|row| number(row, &mut positions));
        crossings(layers, &positions)
    }

    #[test]
    fn crossings_are_counted_and_taken_out() {
        /// Boxes above, boxes below, lines, crossings before and after.
        type Case = (usize, usize, &'static [(usize, usize)], usize, usize);
        let cases: &[Case] = &[
            (2, 2, &[(0, 0), (1, 1)], 0, 0),
            (2, 2, &[(0, 1), (1, 0)], 1, 0),
            (1, 3, &[(0, 2), (0, 1), (0, 0)], 0, 0),
            (3, 3, &[(0, 2), (1, 1), (2, 0)], 3, 0),
            (2, 2, &[(0, 0), (0, 1), (1, 0), (1, 1)], 1, 1),
            (4, 4, &[(0, 3), (1, 2), (2, 1), (3, 0), (0, 2)], 8, 0),
        ];
        for (upper, lower, pairs, before, after) in cases {
            let mut layers = two_rows(*upper, *lower, pairs);
            assert_eq!(count(&layers), *before, "{pairs:?}");
            order(&mut layers);
            assert_eq!(count(&layers), *after, "{pairs:?}");
        }
    }

    #[test]
    fn what_does_not_cross_keeps_the_order_of_the_file() {
        let mut layers = two_rows(3, 3, &[(0, 0), (2, 2)]);
        order(&mut layers);
        assert_eq!(layers.rows, [[0, 1, 2], [3, 4, 5]]);
    }
}
