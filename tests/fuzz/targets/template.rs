//! A text as a template, as a condition and as a schedule.
#![no_main]

use expression::schedule::Schedule;
use expression::template;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    match template::parse(text) {
        Ok(template) => assert_eq!(template.source(), text),
        Err(error) => {
            let (start, end) = (error.offset_bytes, error.end_bytes);
            assert!(start <= end && end <= text.len(), "{start}..{end} of {}", text.len());
            assert!(text.is_char_boundary(start) && text.is_char_boundary(end), "{start}..{end}");
        }
    }
    fuzz::evaluate_both_ways(&json!({"x": text}));
    // The inside alone, so that the fuzzer need not find the braces.
    fuzz::evaluate_both_ways(&json!(format!("${{{text}}}")));
    if let Ok(schedule) = Schedule::parse(text) {
        let now = "2024-02-29T12:00:00Z".parse().expect("a time");
        if let Some(next) = schedule.next_after(now) {
            assert!(next > now, "a schedule goes forward");
        }
    }
});
