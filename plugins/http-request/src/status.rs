//! Which statuses are good.

use bowline_sdk::{Failure, shown};
use serde_json::Value;

/// The statuses that an author expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected(Vec<(u16, u16)>);

impl Expected {
    /// Reads numbers (`404`) and classes (`2xx`).
    ///
    /// # Errors
    ///
    /// `config` for anything else, and for an empty list.
    pub fn read(given: &[Value]) -> Result<Self, Failure> {
        if given.is_empty() {
            return Err(Failure::config("`expect` is empty; leave it out to expect `2xx`"));
        }
        let text = |status: &Value| match status {
            Value::String(text) => range(text),
            Value::Number(number) => range(&number.to_string()),
            _ => range("something else"),
        };
        given.iter().map(text).collect::<Result<_, _>>().map(Self)
    }

    /// Whether `status` is good.
    #[must_use]
    pub fn has(&self, status: u16) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&status))
    }
}

fn range(text: &str) -> Result<(u16, u16), Failure> {
    let text = text.trim();
    let digits = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX"));
    let range = match digits {
        Some(class) => {
            class.parse::<u16>().ok().filter(|_| class.len() == 1).map(|n| (n * 100, n * 100 + 99))
        }
        None => text.parse::<u16>().ok().map(|number| (number, number)),
    };
    range.filter(|(first, last)| (100..=599).contains(first) && *last <= 599).ok_or_else(|| {
        let text = shown(text);
        Failure::config(format!(
            "`expect` can't be `{text}`; give statuses such as `201` or classes such as `2xx`"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_classes_are_read() {
        let read = |texts: &[&str]| {
            let texts: Vec<Value> = texts.iter().map(|text| (*text).into()).collect();
            Expected::read(&texts)
        };
        let numbers = Expected::read(&[404.into(), 409.into()]).expect("good");
        assert!(numbers.has(409) && !numbers.has(200));
        assert!(Expected::read(&[Value::Null]).is_err() && Expected::read(&[2.5.into()]).is_err());
        let expected = read(&["2xx", " 404 ", "3XX"]).expect("good");
        for (status, good) in [(200, true), (299, true), (300, true), (404, true), (400, false)] {
            assert_eq!(expected.has(status), good, "{status}");
        }
        for wrong in ["", "x", "2x", "22xx", "0xx", "6xx", "99", "600", "-1", "2xx3"] {
            let failure = read(&[wrong]).expect_err(wrong);
            assert_eq!(failure.code(), "config", "{wrong}");
        }
        assert_eq!(read(&[]).expect_err("empty").code(), "config");
    }
}
