//! Tamperings with a chain in memory: each is found, at the right place, under its right name.

use super::*;
use proptest::prelude::*;

const RUN: &str = "a-run";

/// A run of `count` records; those before `chained_from` have no hash.
fn written(count: u64, chained_from: u64) -> Vec<Sealed> {
    let mut previous = Hash::ORIGIN;
    (0..count)
        .map(|position| {
            let (at, body) = (1_000 + position as i64, format!("event {position}").into_bytes());
            let hash = (position >= chained_from).then(|| {
                previous = seal(RUN, previous, position, at, &body);
                previous
            });
            Sealed { position, at, body, hash }
        })
        .collect()
}

fn breach_of(records: Vec<Sealed>) -> Option<Breach> {
    examine(RUN, 0, records).breach
}

/// Makes the hashes of `records[from..]` right again.
fn chain_again(records: &mut [Sealed], from: usize) {
    for index in from..records.len() {
        let previous =
            index.checked_sub(1).and_then(|index| records[index].hash).unwrap_or(Hash::ORIGIN);
        let record = &records[index];
        let hash = seal(RUN, previous, record.position, record.at, &record.body);
        records[index].hash = Some(hash);
    }
}

#[test]
fn what_nobody_touched_is_sound() {
    for (count, chained_from) in [(0, 0), (1, 0), (200, 0), (9, 4), (9, 9)] {
        let records = written(count, chained_from);
        let head = records.last().and_then(|last| last.hash).unwrap_or(Hash::ORIGIN);

        let examined = examine(RUN, chained_from, records);

        let expected =
            Examined { records: count, sound: count, unchained: chained_from, head, breach: None };
        assert_eq!(examined, expected);
    }
    let of_another = examine("another", 0, written(3, 0));
    assert_eq!(of_another.breach, Some(Breach::Changed { position: 0 }));
}

#[test]
fn each_tampering_has_its_place_and_its_name() {
    type Tampering = fn(&mut Vec<Sealed>);
    let cases: &[(&str, Tampering, Breach)] = &[
        ("body", |r| r[4].body = b"x".to_vec(), Breach::Changed { position: 4 }),
        ("first body", |r| r[0].body = b"x".to_vec(), Breach::Changed { position: 0 }),
        ("last body", |r| r[9].body = b"x".to_vec(), Breach::Changed { position: 9 }),
        ("time", |r| r[4].at += 1, Breach::Changed { position: 4 }),
        ("hash", |r| r[4].hash = Some(Hash::ORIGIN), Breach::HashChanged { position: 4 }),
        ("no hash", |r| r[4].hash = None, Breach::HashChanged { position: 4 }),
        (
            "gap",
            |r| {
                r.remove(4);
            },
            Breach::Removed { position: 4, count: 1 },
        ),
        (
            "wide gap",
            |r| {
                r.drain(0..7);
            },
            Breach::Removed { position: 0, count: 7 },
        ),
        (
            "gap that was closed",
            |r| {
                r.drain(4..6);
                (0..).zip(r).for_each(|(position, record)| record.position = position);
            },
            Breach::Removed { position: 4, count: 2 },
        ),
        (
            "two exchanged with their hashes",
            |r| {
                (r[3].position, r[7].position) = (7, 3);
                r.swap(3, 7);
            },
            Breach::Moved { position: 3, now: 7 },
        ),
        (
            "neighbours exchanged with their hashes",
            |r| {
                (r[3].position, r[4].position) = (4, 3);
                r.swap(3, 4);
            },
            Breach::Moved { position: 3, now: 4 },
        ),
        (
            "two exchanged under hashes that stay",
            |r| {
                let (three, seven) = (r[3].clone(), r[7].clone());
                (r[3].at, r[3].body) = (seven.at, seven.body);
                (r[7].at, r[7].body) = (three.at, three.body);
            },
            Breach::Moved { position: 3, now: 7 },
        ),
        (
            "neighbours exchanged under hashes that stay",
            |r| {
                let (three, four) = (r[3].clone(), r[4].clone());
                (r[3].at, r[3].body) = (four.at, four.body);
                (r[4].at, r[4].body) = (three.at, three.body);
            },
            Breach::Moved { position: 3, now: 4 },
        ),
        (
            "moved to the end, others closed up",
            |r| {
                let moved = r.remove(2);
                r.push(moved);
                (0..).zip(r).for_each(|(position, record)| record.position = position);
            },
            Breach::Moved { position: 2, now: 9 },
        ),
        (
            "moved behind the end",
            |r| {
                let mut moved = r.remove(2);
                moved.position = 40;
                r.push(moved);
            },
            Breach::Moved { position: 2, now: 40 },
        ),
        (
            "put in without a hash",
            |r| {
                r.insert(5, Sealed { position: 5, at: 1, body: b"x".to_vec(), hash: None });
                (0..).zip(r).for_each(|(position, record)| record.position = position);
            },
            Breach::Added { position: 5, count: 1 },
        ),
        (
            "three put in with good hashes",
            |r| {
                for _ in 0..3 {
                    r.insert(5, Sealed { position: 5, at: 1, body: b"x".to_vec(), hash: None });
                }
                (0..).zip(r.iter_mut()).for_each(|(position, record)| record.position = position);
                chain_again(&mut r[..8], 5);
            },
            Breach::Added { position: 5, count: 3 },
        ),
        (
            "a copy put in",
            |r| {
                let copy = r[3].clone();
                r.insert(4, copy);
                (0..).zip(r).for_each(|(position, record)| record.position = position);
            },
            Breach::Added { position: 4, count: 1 },
        ),
        (
            "twice in one place",
            |r| {
                let again = r[5].clone();
                r.insert(6, again);
            },
            Breach::Added { position: 5, count: 1 },
        ),
    ];
    for (name, tamper, expected) in cases {
        let mut records = written(10, 0);
        tamper(&mut records);
        assert_eq!(breach_of(records), Some(*expected), "{name}");
    }
}

#[test]
fn a_record_that_is_older_than_the_chain_has_no_hash_and_gets_none() {
    let mut records = written(9, 4);
    records[2].hash = Some(Hash::ORIGIN);
    assert_eq!(examine(RUN, 4, records).breach, Some(Breach::HashChanged { position: 2 }));

    let mut gap = written(9, 4);
    gap.remove(1);
    assert_eq!(examine(RUN, 4, gap).breach, Some(Breach::Removed { position: 1, count: 1 }));
}

#[test]
fn what_is_chained_anew_is_sound_in_itself() {
    // The one thing that a chain without a key can't show; the marks beside the journal can.
    let mut records = written(10, 0);
    records[4].body = b"x".to_vec();
    chain_again(&mut records, 4);

    assert_eq!(breach_of(records), None);
}

/// One random change to the records.
#[derive(Clone, Debug)]
enum Change {
    Body(usize, Vec<u8>),
    Time(usize, i64),
    Hash(usize, [u8; 32]),
    Remove(usize),
    Swap(usize, usize),
    Position(usize, u64),
}

fn change() -> impl Strategy<Value = Change> {
    let index = 0..30_usize;
    prop_oneof![
        (index.clone(), any::<Vec<u8>>()).prop_map(|(at, body)| Change::Body(at, body)),
        (index.clone(), any::<i64>()).prop_map(|(at, time)| Change::Time(at, time)),
        (index.clone(), any::<[u8; 32]>()).prop_map(|(at, hash)| Change::Hash(at, hash)),
        index.clone().prop_map(Change::Remove),
        (index.clone(), index.clone()).prop_map(|(one, two)| Change::Swap(one, two)),
        (index, 0..60_u64).prop_map(|(at, position)| Change::Position(at, position)),
    ]
}

impl Change {
    fn apply(&self, records: &mut Vec<Sealed>) {
        let count = records.len();
        match self {
            Self::Body(at, body) => records[at % count].body.clone_from(body),
            Self::Time(at, time) => records[at % count].at = *time,
            Self::Hash(at, hash) => records[at % count].hash = Some(Hash(*hash)),
            Self::Remove(at) => {
                records.remove(at % count);
            }
            Self::Swap(one, two) => {
                let (one, two) = (one % count, two % count);
                let place = records[one].position;
                records[one].position = records[two].position;
                records[two].position = place;
            }
            Self::Position(at, position) => records[at % count].position = *position,
        }
        records.sort_by_key(|record| record.position);
    }
}

proptest! {
    #[test]
    fn random_tampering_never_goes_further_than_the_first_difference(
        count in 2..30_u64,
        changes in prop::collection::vec(change(), 1..3),
    ) {
        let before = written(count, 0);
        let mut after = before.clone();
        for change in &changes {
            if !after.is_empty() {
                change.apply(&mut after);
            }
        }

        let examined = examine(RUN, 0, after.clone());

        let same = before.iter().zip(&after).take_while(|(one, two)| one == two).count() as u64;
        prop_assert_eq!(examined.sound, same, "{:?}", changes);
        // A tail that was cut off is the one difference that a chain alone does not show.
        let is_prefix = after.len() as u64 == same;
        prop_assert_eq!(examined.breach.is_none(), is_prefix, "{:?}", changes);
        if let Some(breach) = examined.breach {
            let position = match breach {
                Breach::Changed { position }
                | Breach::HashChanged { position }
                | Breach::Removed { position, .. }
                | Breach::Moved { position, .. }
                | Breach::Added { position, .. } => position,
            };
            prop_assert!(position <= same, "{:?} {:?}", breach, changes);
        }
    }
}
