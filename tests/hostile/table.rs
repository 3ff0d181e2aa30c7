//! The table: which cases there are, and whether it is complete.

use crate::stage::Stage;
use crate::{
    boundary, credentials, files, http, imports, isolation, kubernetes, limits, operator, outputs,
    values,
};
use effects::Layer;
use std::collections::BTreeSet;

/// How many cases each letter has.
const LETTERS: &[(char, usize)] =
    &[('A', 21), ('B', 12), ('C', 16), ('D', 16), ('E', 23), ('F', 14), ('G', 12), ('H', 12)];

/// Numbers whose cases are not written yet, as letters and numbers.
const AWAITED: &[&str] = &[];

/// One attack, and what must come of it.
pub(crate) struct Case {
    /// For example `C1`.
    pub(crate) number: &'static str,
    /// What the attacker does.
    pub(crate) title: &'static str,
    /// The layers without any of which the case must fail.
    pub(crate) layers: &'static [Layer],
    /// Tries it. Panics when the host does not do what it must; else gives what it did, in a few
    /// words.
    pub(crate) run: fn(&mut Stage) -> String,
    /// Why the attack itself can't be made here. `run` then looks at what takes its place.
    pub(crate) not_here: Option<&'static str>,
}

impl Case {
    pub(crate) const fn new(
        number: &'static str,
        title: &'static str,
        layers: &'static [Layer],
        run: fn(&mut Stage) -> String,
    ) -> Self {
        Self { number, title, layers, run, not_here: None }
    }

    /// A case that can't be made here, for this reason.
    pub(crate) const fn not_here(
        number: &'static str,
        title: &'static str,
        reason: &'static str,
        run: fn(&mut Stage) -> String,
    ) -> Self {
        Self { number, title, layers: &[], run, not_here: Some(reason) }
    }

    /// The test's name: number and title as one word.
    pub(crate) fn name(&self) -> String {
        let title: Vec<String> = self
            .title
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_ascii_lowercase)
            .collect();
        format!("{}_{}", self.number, title.join("_"))
    }
}

/// All cases, in the order of their numbers.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(files::cases());
    cases.extend(imports::cases());
    cases.extend(limits::cases());
    cases.extend(boundary::cases());
    cases.extend(values::cases());
    cases.extend(http::cases());
    cases.extend(kubernetes::cases());
    cases.extend(credentials::cases());
    cases.extend(operator::cases());
    cases.extend(outputs::cases());
    cases.extend(isolation::cases());
    cases.sort_by_key(|case| (case.number.chars().next(), case.number[1..].parse::<u32>().ok()));
    cases
}

/// All numbers that there must be.
pub(crate) fn numbers() -> Vec<String> {
    let of = |&(letter, count): &(char, usize)| (1..=count).map(move |n| format!("{letter}{n}"));
    LETTERS.iter().flat_map(of).collect()
}

/// The numbers that no case has.
pub(crate) fn missing(cases: &[Case]) -> Vec<String> {
    let there: BTreeSet<&str> = cases.iter().map(|case| case.number).collect();
    let awaited = |number: &str| AWAITED.contains(&number) || AWAITED.contains(&&number[..1]);
    let numbers = numbers().into_iter();
    numbers.filter(|number| !there.contains(number.as_str()) && !awaited(number)).collect()
}

/// The numbers that two cases have, or that there must not be.
pub(crate) fn surplus(cases: &[Case]) -> Vec<String> {
    let known: BTreeSet<String> = numbers().into_iter().collect();
    let mut seen = BTreeSet::new();
    let surplus =
        cases.iter().filter(|case| !known.contains(case.number) || !seen.insert(case.number));
    surplus.map(|case| case.number.to_owned()).collect()
}
