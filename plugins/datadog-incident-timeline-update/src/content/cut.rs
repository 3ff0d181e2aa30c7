//! Cuts Markdown to a length without breaking what people see: no half emoji, no open code fence.

use bowline_sdk::text::first_letters;

/// What stands at the end of a text that was cut.
const NOTE: &str = "\n\n… (cut)";

/// `text` in at most `room` characters, and whether it had to be cut. A code fence that is open at
/// the end is closed, so that what follows is no part of it.
pub(super) fn to(text: &str, room: usize) -> (String, bool) {
    let closed = close(text);
    if closed.chars().count() <= room {
        return (closed, false);
    }
    let mut keep = room.saturating_sub(NOTE.chars().count());
    loop {
        let mut short = close(before_open_span(first_letters(text, keep)).trim_end());
        if keep == 0 || short.chars().count() + NOTE.chars().count() <= room {
            short.push_str(NOTE);
            return (short, true);
        }
        // The fence's closing took more than there is.
        keep = keep.saturating_sub(8);
    }
}

/// The text up to a code span that is open at its end. What a span held as text would be read as
/// Markdown once its end is cut off, and it may be somebody else's.
fn before_open_span(text: &str) -> &str {
    if close(text).len() > text.len() {
        return text;
    }
    // A span does not go on behind an empty line.
    let paragraph = text.rfind("\n\n").map_or(0, |place| place + 2);
    let mut open: Option<(usize, usize)> = None;
    let mut run = 0;
    for (place, letter) in text[paragraph..].char_indices().chain([(text.len() - paragraph, ' ')]) {
        if letter == '`' {
            run += 1;
        } else if run > 0 {
            open = match open {
                Some((_, length)) if length == run => None,
                None => Some((paragraph + place - run, run)),
                inside => inside,
            };
            run = 0;
        }
    }
    open.map_or(text, |(begin, _)| &text[..begin])
}

/// The text, with its last code fence closed.
fn close(text: &str) -> String {
    let mut open: Option<&str> = None;
    for line in text.lines() {
        let fence = fence(line);
        match (open, fence) {
            (None, Some((marks, _))) => open = Some(marks),
            (Some(begun), Some((marks, rest)))
                if marks.starts_with(begun) && rest.trim().is_empty() =>
            {
                open = None;
            }
            _ => (),
        }
    }
    match open {
        Some(marks) => format!("{text}\n{marks}"),
        None => text.to_owned(),
    }
}

/// The marks that begin or end a code fence on this line, and what follows them.
fn fence(line: &str) -> Option<(&str, &str)> {
    let text = line.trim_start_matches(' ');
    if line.len() - text.len() > 3 {
        return None;
    }
    let mark = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let rest = text.trim_start_matches(mark);
    let marks = &text[..text.len() - rest.len()];
    (marks.len() >= 3 && !(mark == '`' && rest.contains('`'))).then_some((marks, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_stays_and_its_fence_is_closed() {
        let cases = [
            ("a", "a"),
            ("```\ncode", "```\ncode\n```"),
            ("```rust\ncode\n```", "```rust\ncode\n```"),
            ("~~~~\ncode\n~~~", "~~~~\ncode\n~~~\n~~~~"),
            ("a ``` b", "a ``` b"),
            ("```a``` b", "```a``` b"),
            ("    ```\ncode", "    ```\ncode"),
        ];
        for (text, expected) in cases {
            assert_eq!(to(text, 100), (expected.to_owned(), false), "{text:?}");
        }
    }

    #[test]
    fn a_cut_never_splits_what_is_seen_as_one_letter() {
        let family = "👩‍👩‍👧";
        let flags = "🇩🇪🇫🇷";
        for text in [family.repeat(50), flags.repeat(50), "e\u{301}".repeat(50), "👍🏽".repeat(50)]
        {
            for room in 20..60 {
                let (short, cut) = to(&text, room);
                assert!(cut && short.chars().count() <= room, "{short}");
                let kept = short.strip_suffix(NOTE).expect("the note");
                assert!(!kept.ends_with('\u{200d}'), "{kept:?}");
                assert!(!kept.ends_with('e'), "{kept:?}");
                assert!(text.starts_with(kept), "{kept:?}");
            }
        }
    }

    #[test]
    fn a_cut_inside_a_code_span_leaves_nothing_of_it() {
        let foreign = format!("[click](http://evil) {}", "x".repeat(200));
        for text in [
            format!("a `one` b `{foreign}` end"),
            format!("a `one` b ``{foreign} ` `` end"),
            format!("a ` b\n\nc `{foreign}` end"),
        ] {
            for room in 40..150 {
                let (short, cut) = to(&text, room);
                assert!(cut && short.chars().count() <= room, "{room}: {short}");
                assert!(!short.contains("evil"), "{room}: {short}");
            }
        }
    }

    #[test]
    fn a_cut_inside_a_fence_closes_it() {
        let text = format!("log:\n```\n{}", "line of the log\n".repeat(100));
        for room in 40..80 {
            let (short, cut) = to(&text, room);
            assert!(cut && short.chars().count() <= room, "{room}: {short}");
            assert_eq!(short.matches("```").count(), 2, "{room}: {short}");
        }
    }
}
