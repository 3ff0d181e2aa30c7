//! Lines, arrow heads and hexagons in the notation of SVG paths, in whole pixels.

use super::super::layout::{Pixels, Point, Size};
use std::fmt::Write;

/// Half the width and the length of the head of an arrow.
const HEAD: Size = Size { width: 4.0, height: 9.0 };
/// How far the points of an approval's hexagon stand out.
pub(super) const POINT: Pixels = 12.0;

/// The line up to the head: straight where two points are above each other, else a curve that
/// is vertical at both ends.
pub(super) fn path(parts: &[Vec<Point>]) -> String {
    let mut path = String::new();
    for (number, part) in parts.iter().enumerate() {
        let mut points: Vec<(i64, i64)> = part.iter().map(|at| (px(at.x), px(at.y))).collect();
        if let (true, Some(tip)) = (number + 1 == parts.len(), points.last_mut()) {
            tip.1 -= px(HEAD.height) - 1;
        }
        points.dedup();
        for (place, &(x, y)) in points.iter().enumerate() {
            // Writing into a text can't fail.
            let _ = match place.checked_sub(1).map(|before| points[before]) {
                None => write!(path, "M{x} {y}"),
                Some((from, _)) if from == x => write!(path, "V{y}"),
                Some((from, above)) => {
                    let half = (above + y) / 2;
                    write!(path, "C{from} {half} {x} {half} {x} {y}")
                }
            };
        }
    }
    path
}

/// The head of the arrow, pointing down to where the line ends.
pub(super) fn head(parts: &[Vec<Point>]) -> String {
    let tip = parts.last().and_then(|part| part.last());
    let Some(tip) = tip else { return String::new() };
    let (half, length) = (px(HEAD.width), px(HEAD.height));
    format!("M{} {}l-{half} -{length}h{}z", px(tip.x), px(tip.y), 2 * half)
}

pub(super) fn hexagon(corner: Point, size: Size) -> String {
    let (x, y, point) = (px(corner.x), px(corner.y), px(POINT));
    let (right, bottom) = (px(corner.x + size.width), px(corner.y + size.height));
    let half = px(corner.y + size.height / 2.0);
    let (inner_left, inner_right) = (x + point, right - point);
    format!(
        "M{inner_left} {y}H{inner_right}L{right} {half}L{inner_right} {bottom}H{inner_left}L{x} {half}z"
    )
}

/// A whole number of pixels. Far more than any picture has is still a number.
pub(super) fn px(length: Pixels) -> i64 {
    length.round() as i64
}
