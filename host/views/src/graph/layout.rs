//! Where the boxes and lines of a picture go: layers from the top down.
//!
//! Works on sizes and numbers only and knows no text. In order: [`layers`] (which layer holds
//! what), [`order`] (left to right, with few crossings), [`place`] (how far to the right), and
//! [`route`] (the heights, and the lines). Each takes time in about proportion to its input.

mod lanes;
mod layers;
mod order;
mod place;
mod route;

/// A length on the picture, in pixels.
pub(super) type Pixels = f64;

/// A box, or the text beside a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Size {
    pub(super) width: Pixels,
    pub(super) height: Pixels,
}

/// A point; `y` grows downwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) x: Pixels,
    pub(super) y: Pixels,
}

/// A line that is wanted between two boxes, given by number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) from: usize,
    /// On a higher level than `from`.
    pub(super) to: usize,
    /// The room that its text needs, if it has one.
    pub(super) label: Option<Size>,
}

/// A line as it is to be drawn.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Its parts; the text stands in the gap between two of them. Each part leaves and reaches
    /// all its points vertically. The last point is the tip of the arrow, on the box.
    pub(super) parts: Vec<Vec<Point>>,
    /// The middle of its text.
    pub(super) label: Option<Point>,
}

/// The whole picture. Everything lies between 0 and its width and height.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) size: Size,
    /// The upper left corner of each box.
    pub(super) boxes: Vec<Point>,
    /// One for each link, in the same order.
    pub(super) lines: Vec<Line>,
}

/// Lays out `boxes`, of which each has a level, and the lines between them.
pub(super) fn layout(boxes: &[Size], levels: &[usize], links: &[Link]) -> Layout {
    let mut layers = layers::Layers::new(boxes, levels, links);
    order::order(&mut layers);
    let middles = place::place(&layers);
    route::route(&layers, &middles, links)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: Size = Size { width: 100.0, height: 40.0 };
    const LABEL: Size = Size { width: 60.0, height: 16.0 };

    /// The layout of a graph of equal boxes; the levels are the longest ways.
    fn of(count: usize, pairs: &[(usize, usize)], labels: bool) -> Layout {
        let mut levels = vec![0; count];
        for _ in 0..count {
            for &(from, to) in pairs {
                levels[to] = levels[to].max(levels[from] + 1);
            }
        }
        let label = labels.then_some(LABEL);
        let links: Vec<_> = pairs.iter().map(|&(from, to)| Link { from, to, label }).collect();
        layout(&vec![BOX; count], &levels, &links)
    }

    /// A graph that looks like chance and is always the same: each box waits for up to three.
    fn tangle(count: usize) -> Vec<(usize, usize)> {
        let mut seed = 7_usize;
        let mut pairs = Vec::new();
        for to in 1..count {
            for _ in 0..3 {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let pair = ((seed >> 33) % to, to);
                if !pairs.contains(&pair) {
                    pairs.push(pair);
                }
            }
        }
        pairs
    }

    /// What each picture must keep to, whatever the graph.
    fn check(count: usize, pairs: &[(usize, usize)], labels: bool) {
        let layout = of(count, pairs, labels);
        let inside = |point: &Point| {
            (0.0..=layout.size.width).contains(&point.x)
                && (0.0..=layout.size.height).contains(&point.y)
        };
        let mut rectangles: Vec<(Point, Size)> =
            layout.boxes.iter().map(|&corner| (corner, BOX)).collect();
        let labels = layout.lines.iter().filter_map(|line| line.label);
        rectangles.extend(labels.map(|at| {
            (Point { x: at.x - LABEL.width / 2.0, y: at.y - LABEL.height / 2.0 }, LABEL)
        }));
        for (number, (a, size)) in rectangles.iter().enumerate() {
            assert!(inside(a) && inside(&Point { x: a.x + size.width, y: a.y + size.height }));
            for (b, other) in &rectangles[..number] {
                let apart = a.x + size.width <= b.x
                    || b.x + other.width <= a.x
                    || a.y + size.height <= b.y
                    || b.y + other.height <= a.y;
                assert!(apart, "{a:?} and {b:?} overlap");
            }
        }
        for (line, &(from, to)) in layout.lines.iter().zip(pairs) {
            let points: Vec<Point> = line.parts.concat();
            assert!(points.iter().all(inside), "{points:?}");
            assert!(points.windows(2).all(|pair| pair[0].y <= pair[1].y), "{points:?}");
            let (first, last) = (points[0], points[points.len() - 1]);
            assert_eq!(first.y, layout.boxes[from].y + BOX.height);
            assert_eq!(last.y, layout.boxes[to].y);
            for (end, corner) in [(first, layout.boxes[from]), (last, layout.boxes[to])] {
                assert!((corner.x..=corner.x + BOX.width).contains(&end.x), "{end:?} {corner:?}");
            }
            free_of_boxes(line, &layout);
        }
    }

    /// No line crosses a box: between two points it stays within their heights, and a box at
    /// these heights may only lie beside it.
    fn free_of_boxes(line: &Line, layout: &Layout) {
        for pair in line.parts.iter().flat_map(|part| part.windows(2)) {
            let (left, right) = (pair[0].x.min(pair[1].x), pair[0].x.max(pair[1].x));
            for corner in &layout.boxes {
                let above = corner.y + BOX.height <= pair[0].y || pair[1].y <= corner.y;
                let beside = corner.x + BOX.width <= left || right <= corner.x;
                assert!(above || beside, "{pair:?} crosses the box at {corner:?}");
            }
        }
    }

    #[test]
    fn nothing_overlaps_and_every_line_ends_at_its_boxes() {
        let long: Vec<_> = (1..40).map(|n| (n - 1, n)).chain([(0, 39), (1, 39), (0, 30)]).collect();
        let star: Vec<_> = (1..60).map(|n| (0, n)).collect();
        let cases: &[(usize, &[(usize, usize)])] = &[
            (0, &[]),
            (1, &[]),
            (3, &[(0, 2), (1, 2)]),
            (4, &[(0, 1), (0, 2), (1, 3), (2, 3), (0, 3)]),
            (40, &long),
            (60, &star),
            (30, &tangle(30)),
            (120, &tangle(120)),
        ];
        for (count, pairs) in cases {
            check(*count, pairs, false);
            check(*count, pairs, true);
        }
    }

    #[test]
    fn a_chain_is_straight_and_a_diamond_even() {
        let chain = of(4, &[(0, 1), (1, 2), (2, 3)], true);
        assert!(chain.boxes.windows(2).all(|pair| pair[0].x == pair[1].x), "{chain:?}");
        assert_eq!(chain.size.width, BOX.width);

        let diamond = of(4, &[(0, 1), (0, 2), (1, 3), (2, 3)], false);
        let x = |number: usize| diamond.boxes[number].x;
        assert_eq!(x(0), x(3));
        assert_eq!(x(0) - x(1), x(2) - x(0), "{diamond:?}");
    }

    #[test]
    fn lines_that_need_not_cross_do_not() {
        // Each lower box belongs to the upper box of the mirrored place.
        let pairs: Vec<_> = (0..6).map(|n| (n, 11 - n)).collect();
        let layout = of(12, &pairs, false);
        for (from, to) in pairs {
            assert_eq!(layout.boxes[from].x, layout.boxes[to].x, "{layout:?}");
        }
    }
}
