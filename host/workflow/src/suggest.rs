//! Finds the name that was probably meant.
//!
//! Comparing every wrong name with every right one would make a long file with many mistakes
//! quadratic, so a [`Names`] answers only until its comparisons are used up.

use std::cell::Cell;

/// Names that exist, to compare a wrong one with.
pub(crate) struct Names<'a> {
    names: Vec<&'a str>,
    comparisons_left: Cell<usize>,
}

/// Comparisons that one list of names pays for: enough for twenty mistakes among ten thousand
/// names, and over in a fraction of a second.
const COMPARISONS_MAX: usize = 200_000;

/// Names that a message lists when none is close.
const LISTED_MAX: usize = 8;

impl<'a> Names<'a> {
    pub(crate) fn new(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self { names: names.into_iter().collect(), comparisons_left: Cell::new(COMPARISONS_MAX) }
    }

    /// The name closest to `wrong`, if one is close.
    pub(crate) fn closest(&self, wrong: &str) -> Option<&'a str> {
        let left = self.comparisons_left.get();
        let names = &self.names[..self.names.len().min(left)];
        self.comparisons_left.set(left - names.len());
        closest(wrong, names.iter().copied())
    }

    /// A few of the names in back-ticks, or nothing if there are none.
    pub(crate) fn listed(&self) -> Option<String> {
        let (first, more) = self.names.split_at(self.names.len().min(LISTED_MAX));
        if first.is_empty() {
            return None;
        }
        let listed = first.iter().map(|name| crate::diagnostic::quote(name));
        let listed = listed.collect::<Vec<_>>().join(", ");
        Some(match more.len() {
            0 => listed,
            count => format!("{listed} and {count} more"),
        })
    }
}

/// The name closest to `wrong`, if one is close enough to have been meant.
///
/// Close means: at most a third of the characters differ, counting a swap of two neighbours as
/// one; upper and lower case are the same.
pub(crate) fn closest<'a>(
    wrong: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let wrong: Vec<char> = folded(wrong);
    let bound = (wrong.len() / 3).max(1);
    let near = names.into_iter().filter_map(|name| {
        let candidate = folded(name);
        let distance = distance(&wrong, &candidate, bound)?;
        (distance < candidate.len().max(wrong.len())).then_some((distance, name))
    });
    near.min_by_key(|&(distance, _)| distance).map(|(_, name)| name)
}

/// Characters beyond this are not compared: nobody mistypes a name that long.
const CHARACTERS_MAX: usize = 80;

fn folded(name: &str) -> Vec<char> {
    name.chars().take(CHARACTERS_MAX).flat_map(char::to_lowercase).collect()
}

/// How many characters to insert, drop, replace or swap; nothing if more than `bound`.
fn distance(a: &[char], b: &[char], bound: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > bound {
        return None;
    }
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before_last[j - 2] + 1);
            }
            row.push(best);
        }
        if row.iter().all(|&cell| cell > bound) {
            return None;
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().filter(|&distance| distance <= bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_was_meant() {
        let cases = [
            ("biuld", &["build", "deploy"][..], Some("build")),
            ("deploymnet", &["deployment", "namespace"], Some("deployment")),
            ("Namespace", &["namespace"], Some("namespace")),
            ("x", &["build"], None),
            ("a", &["b"], None),
            ("", &["b"], None),
            ("zzz", &[], None),
            ("stepp", &["steps", "step"], Some("steps")),
        ];
        for (wrong, names, expected) in cases {
            assert_eq!(closest(wrong, names.iter().copied()), expected, "{wrong}");
        }
    }

    #[test]
    fn long_lists_of_names_are_cut() {
        let names: Vec<String> = (0..10).map(|n| format!("n{n}")).collect();
        let names = Names::new(names.iter().map(String::as_str));
        assert_eq!(
            names.listed().as_deref(),
            Some("`n0`, `n1`, `n2`, `n3`, `n4`, `n5`, `n6`, `n7` and 2 more")
        );
        assert_eq!(Names::new([]).listed(), None);
    }

    #[test]
    fn comparisons_run_out_instead_of_taking_for_ever() {
        let many = vec!["build"; COMPARISONS_MAX];
        let names = Names::new(many);
        assert_eq!(names.closest("biuld"), Some("build"));
        assert_eq!(names.closest("biuld"), None);
    }
}
