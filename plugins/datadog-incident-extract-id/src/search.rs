//! Finds an incident by its number in a list that is sorted by number, oldest first.
//!
//! Numbers only grow and deletions only remove, so incident N stands at offset N-1 or before. The
//! first page asked for is therefore usually the right one; else the list is bisected. Knows pages
//! and nothing of HTTP. A list that turns out not to be sorted is read from the start.

use datadog_api::Incident;
use serde_json::{Map, Value};

/// The number of incidents asked for in one page, Datadog's most.
pub const PAGE_SIZE: u64 = 100;
/// The most pages that are read for one incident.
pub const PAGES_MAX: usize = 150;
/// Incidents made within one second may stand in each other's place.
const SHIFT_MAX: usize = 3;

/// How a search ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Exactly one.
    Found(Incident),
    /// Several incidents have that number.
    Ambiguous(Vec<Incident>),
    /// None.
    Missing {
        /// How many incidents were read.
        read: usize,
        /// The lowest and the highest number read.
        span: Option<(u64, u64)>,
    },
}

/// Searches for `number`; `page` gives the incidents from an offset on, an empty list past the end.
///
/// # Errors
///
/// What `page` answers.
pub fn find<E>(
    page: &mut dyn FnMut(u64) -> Result<Vec<Incident>, E>,
    number: u64,
) -> Result<Outcome, E> {
    let mut search = Search {
        page,
        number,
        pages: 0,
        seen: Map::new(),
        span: None,
        matches: Vec::new(),
        last: None,
        in_order: true,
    };
    search.bisect()?;
    if search.matches.is_empty() && !search.in_order {
        search.scan()?;
    }
    Ok(search.outcome())
}

struct Search<'a, E> {
    page: &'a mut dyn FnMut(u64) -> Result<Vec<Incident>, E>,
    number: u64,
    pages: usize,
    /// The internal ids read so far: a set, in the kind of map that JSON brings into the guest
    /// anyway.
    seen: Map<String, Value>,
    /// The lowest and the highest number read.
    span: Option<(u64, u64)>,
    /// What has the number, each once.
    matches: Vec<Incident>,
    /// Offset and first id of the page before.
    last: Option<(u64, String)>,
    /// False once the list has turned out to be unsorted, or to ignore the offset.
    in_order: bool,
}

/// Where a page stands in relation to the number.
enum Side {
    /// Past the end of the list, or all numbers are higher.
    Above,
    /// All numbers are lower. The offset behind the page.
    Below(u64),
    /// The number would be between two on this page. The offset behind the page.
    Around(u64),
}

impl<E> Search<'_, E> {
    fn bisect(&mut self) -> Result<(), E> {
        let (mut low, mut high) = (0, u64::MAX);
        let mut offset = self.number.saturating_sub(PAGE_SIZE);
        while self.searching() && low < high {
            match self.look(offset)? {
                Side::Above => high = offset,
                Side::Below(behind) => low = behind,
                Side::Around(behind) => {
                    // Neighbours within a second may have changed places across the page's edges.
                    if self.searching() {
                        self.look(offset.saturating_sub(PAGE_SIZE))?;
                    }
                    if self.searching() {
                        self.look(behind)?;
                    }
                    return Ok(());
                }
            }
            offset = match high {
                u64::MAX => low,
                _ => low + (high.saturating_sub(low)).saturating_sub(PAGE_SIZE) / 2,
            };
        }
        // The number falls between two pages: look at what lies around the gap.
        if self.searching() && low > 0 {
            self.look(low.saturating_sub(PAGE_SIZE / 2))?;
        }
        Ok(())
    }

    fn searching(&self) -> bool {
        self.in_order && self.pages < PAGES_MAX && self.matches.is_empty()
    }

    /// Reads a page and says where it stands.
    fn look(&mut self, offset: u64) -> Result<Side, E> {
        let page = self.read(offset)?;
        let numbers: Vec<u64> = page.iter().map(|incident| incident.number).collect();
        let first = page.first().map(|incident| plain(&incident.id));
        let stuck = self
            .last
            .as_ref()
            .zip(first.as_ref())
            .is_some_and(|((before, id), first)| *before != offset && id == first);
        self.in_order &= !stuck && is_almost_sorted(&numbers);
        self.last = first.map(|first| (offset, first));
        let behind = offset.saturating_add(u64::try_from(numbers.len()).unwrap_or(u64::MAX));
        Ok(match (numbers.iter().min(), numbers.iter().max()) {
            (Some(lowest), _) if *lowest > self.number => Side::Above,
            (_, Some(highest)) if *highest < self.number => Side::Below(behind),
            (Some(_), Some(_)) => Side::Around(behind),
            _ => Side::Above,
        })
    }

    /// Every page from the start, until one brings nothing new. A server that ignores the offset
    /// gives its first page for ever.
    fn scan(&mut self) -> Result<(), E> {
        let mut scanned = Map::new();
        let mut offset = 0;
        while self.pages < PAGES_MAX && self.matches.is_empty() {
            let page = self.read(offset)?;
            let known = scanned.len();
            for incident in &page {
                scanned.insert(plain(&incident.id), Value::Null);
            }
            if scanned.len() == known {
                break;
            }
            offset += u64::try_from(page.len()).unwrap_or(u64::MAX);
        }
        Ok(())
    }

    fn read(&mut self, offset: u64) -> Result<Vec<Incident>, E> {
        self.pages += 1;
        let page = (self.page)(offset)?;
        for incident in &page {
            let number = incident.number;
            let (lowest, highest) = self.span.unwrap_or((number, number));
            self.span = Some((lowest.min(number), highest.max(number)));
            let is_new = self.seen.insert(plain(&incident.id), Value::Null).is_none();
            if is_new && number == self.number {
                self.matches.push(incident.clone());
            }
        }
        Ok(page)
    }

    fn outcome(mut self) -> Outcome {
        match self.matches.len() {
            0 => Outcome::Missing { read: self.seen.len(), span: self.span },
            1 => Outcome::Found(self.matches.swap_remove(0)),
            _ => Outcome::Ambiguous(self.matches),
        }
    }
}

/// An internal id for comparing: both forms occur in answers.
fn plain(id: &str) -> String {
    id.chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase()
}

/// Whether no number is lower than one that stands more than a few places before it.
fn is_almost_sorted(numbers: &[u64]) -> bool {
    let mut highest = 0;
    numbers.iter().enumerate().all(|(place, &number)| {
        if let Some(before) = place.checked_sub(SHIFT_MAX + 1) {
            highest = numbers[before].max(highest);
        }
        number >= highest
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn incident(number: u64) -> Incident {
        Incident { id: format!("id-{number}"), number, ..Incident::default() }
    }

    /// A list of incidents with these numbers, `size` to a page, and the offsets asked for.
    fn search(numbers: &[u64], size: usize, number: u64) -> (Outcome, Vec<u64>) {
        let mut asked = Vec::new();
        let mut page = |offset: u64| {
            asked.push(offset);
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            let page = numbers.iter().skip(offset).take(size);
            Ok::<_, Infallible>(page.map(|number| incident(*number)).collect())
        };
        let Ok(outcome) = find(&mut page, number);
        (outcome, asked)
    }

    fn found(number: u64) -> Outcome {
        Outcome::Found(incident(number))
    }

    #[test]
    fn without_deletions_one_page_is_enough() {
        let all: Vec<u64> = (1..=5000).collect();
        for (number, offset) in [(1, 0), (25, 0), (100, 0), (101, 1), (4321, 4221), (5000, 4900)] {
            assert_eq!(search(&all, 100, number), (found(number), vec![offset]), "{number}");
        }
    }

    #[test]
    fn every_incident_is_found_whatever_was_deleted() {
        let lists: Vec<(&str, Vec<u64>)> = vec![
            ("every third is left", (1..=3000).filter(|n| n % 3 == 0).collect()),
            ("the first 2000 are gone", (2001..=3000).collect()),
            ("a hole of 1500", (1..=400).chain(1901..=3000).collect()),
            ("one in a hundred is left", (1..=30_000).filter(|n| n % 100 == 7).collect()),
            ("only one", vec![2999]),
        ];
        for (name, list) in &lists {
            for number in list.iter().step_by(7).chain(list.last()) {
                let (outcome, asked) = search(list, 100, *number);
                assert_eq!(outcome, found(*number), "{name}: {number}");
                assert!(asked.len() <= 12, "{name}: {number} took {asked:?}");
            }
        }
    }

    #[test]
    fn what_is_not_there_is_not_found_and_soon_given_up() {
        let list: Vec<u64> = (1..=3000).filter(|n| n % 3 == 0).collect();
        for number in [1, 2, 1500 + 1, 2999, 3001, 50_000, i64::MAX as u64] {
            let (outcome, asked) = search(&list, 100, number);
            assert!(matches!(outcome, Outcome::Missing { .. }), "{number}: {outcome:?}");
            assert!(asked.len() <= 70, "{number} took {}", asked.len());
        }
        let (outcome, _) = search(&[], 100, 5);
        assert_eq!(outcome, Outcome::Missing { read: 0, span: None });
        let (outcome, _) = search(&[3, 4, 9], 100, 5);
        assert_eq!(outcome, Outcome::Missing { read: 3, span: Some((3, 9)) });
    }

    #[test]
    fn a_server_that_ignores_the_page_size_is_read_on() {
        let all: Vec<u64> = (1..=400).collect();
        assert_eq!(search(&all, 25, 310).0, found(310));
        assert_eq!(search(&all, 1, 120).0, found(120));
    }

    #[test]
    fn a_server_that_ignores_the_offset_is_given_up() {
        let mut asked = 0;
        let mut page = |_| {
            asked += 1;
            Ok::<_, Infallible>((1..=25).map(incident).collect())
        };
        let Ok(outcome) = find(&mut page, 500);
        assert_eq!(outcome, Outcome::Missing { read: 25, span: Some((1, 25)) });
        assert!(asked <= 5, "{asked}");
    }

    #[test]
    fn neighbours_that_changed_places_are_found() {
        let mut list: Vec<u64> = (1..=1000).collect();
        list.swap(99, 100);
        list.swap(499, 500);
        for number in [100, 101, 500, 501] {
            assert_eq!(search(&list, 100, number).0, found(number), "{number}");
        }
    }

    #[test]
    fn a_list_in_another_order_is_read_from_the_start() {
        let newest_first: Vec<u64> = (1..=1000).rev().collect();
        assert_eq!(search(&newest_first, 100, 3).0, found(3));
        let endless: Vec<u64> = (1..=60_000).rev().collect();
        let (outcome, asked) = search(&endless, 100, 3);
        assert!(matches!(outcome, Outcome::Missing { .. }), "{outcome:?}");
        assert!(asked.len() <= PAGES_MAX, "{}", asked.len());
    }

    #[test]
    fn two_incidents_with_one_number_are_never_chosen_between() {
        let mut page = |_| {
            let mut page: Vec<Incident> = (1..=10).map(incident).collect();
            page.push(Incident { id: "other".into(), number: 5, ..Incident::default() });
            page.sort_by_key(|incident| incident.number);
            Ok::<_, Infallible>(page)
        };
        let Ok(outcome) = find(&mut page, 5);
        let Outcome::Ambiguous(found) = outcome else { panic!("{outcome:?}") };
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn the_same_incident_on_two_pages_counts_once() {
        let mut page = |_| {
            let plain = "6248184c3ce054e7a9f38db44efede9d";
            let one = Incident { id: plain.into(), ..incident(5) };
            let again =
                Incident { id: "6248184c-3ce0-54e7-a9f3-8db44efede9d".into(), ..incident(5) };
            Ok::<_, Infallible>(vec![one, again])
        };
        let Ok(outcome) = find(&mut page, 5);
        assert!(matches!(outcome, Outcome::Found(_)), "{outcome:?}");
    }
}
