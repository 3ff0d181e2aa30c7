//! The cases of a timeline that are known by number, where `story` does not have them.

use crate::datadog::{Datadog, Fate, inputs, post, with};
use bowline_sdk::Disposition;
use bowline_sdk::testing::Host;
use datadog_incident_timeline_update::run;
use serde_json::{Value, json};
use std::rc::Rc;

/// Posts with these fates; the cells and the posts that it took.
fn fared(fates: Vec<Fate>) -> (usize, usize) {
    let (host, datadog) = with(Datadog { fates: fates.into(), ..Datadog::default() });
    post(&host).unwrap_or_else(|failure| panic!("{failure}"));
    let datadog = datadog.borrow();
    (datadog.cells.len(), datadog.posts)
}

#[test]
fn t01_a_lost_reply_is_followed_by_a_look() {
    assert_eq!(fared(vec![Fate::DoneAndLost]), (1, 1), "it was there");
    assert_eq!(fared(vec![Fate::Lost]), (1, 2), "it was not, after two looks");
}

#[test]
fn t03_a_retry_in_the_same_run_posts_nothing_and_a_new_run_posts_anew() {
    let (host, datadog) = with(Datadog::default());
    post(&host).expect("the first attempt");
    let host = host.attempt(2);
    assert_eq!(post(&host).expect("a retry")["posted"], false);
    let host = host.attempt(1).idempotency_key("ffffffffffffffffffffffffffffffff");
    assert_eq!(post(&host).expect("a new run")["posted"], true);
    let host = host.attempt(2);
    assert_eq!(post(&host).expect("its retry")["posted"], false);
    assert_eq!(datadog.borrow().cells.len(), 2);
}

#[test]
fn t04_a_gateway_s_error_is_no_reason_to_post_again() {
    for status in [502, 504] {
        assert_eq!(fared(vec![Fate::DoneAnd(status)]), (1, 1), "{status}");
    }
}

#[test]
fn t05_a_429_was_certainly_not_posted() {
    let (host, datadog) =
        with(Datadog { fates: vec![Fate::Refused(429)].into(), ..Datadog::default() });
    post(&host).expect("posted after the wait");
    assert_eq!((datadog.borrow().cells.len(), datadog.borrow().posts), (1, 2));
    assert!((2..=3).contains(&host.slept().as_secs()), "as long as was asked, {:?}", host.slept());
}

fn refused(status: u16, incident: u16) -> String {
    let fates = vec![Fate::Refused(status)].into();
    let (host, datadog) = with(Datadog { fates, incident: Some(incident), ..Datadog::default() });
    let failure = post(&host).expect_err("refused");
    assert_eq!(failure.disposition(), Disposition::Permanent, "{failure}");
    assert_eq!(datadog.borrow().posts, 1, "it is not posted again");
    format!("{}: {failure}", failure.code())
}

#[test]
fn t07_a_site_without_timelines_is_told_from_a_missing_incident() {
    let told = refused(404, 200);
    assert!(told.starts_with("datadog.not-found: "), "{told}");
    assert!(told.contains("the timeline endpoint is not available on this site"), "{told}");
}

#[test]
fn t08_a_resolved_incident_is_written_to_and_a_refusal_says_why() {
    // The step does not ask for the incident's state, and so posts whatever it is.
    assert_eq!(fared(vec![]), (1, 1));
    let told = refused(409, 200);
    assert!(told.starts_with("datadog.conflict: ") && told.contains("why not"), "{told}");
}

#[test]
fn t09_an_incident_that_was_deleted_meanwhile_is_not_found() {
    let told = refused(404, 404);
    assert!(told.starts_with("datadog.not-found: ") && told.contains("is deleted"), "{told}");
}

#[test]
fn t12_a_foreign_text_goes_in_as_a_code_span() {
    let (host, datadog) = with(Datadog::default());
    let extra = json!({
        "timeline_cell_content": "Rolled back {name} - [logs](https://logs.example)",
        "values": {"name": "web](http://evil) @here `x`"},
    });
    host.run(&inputs(extra), run).expect("posted");
    let text = datadog.borrow().cells[0]["attributes"]["content"]["message"].clone();
    let text = text.as_str().expect("a text");
    let expected =
        "Rolled back `` web](http://evil) @\u{200d}here `x` `` - [logs](https://logs.example)";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn t16_an_id_leads_to_no_other_path() {
    for id in
        ["../users", "a/b", "a?b", "a#b", "..", "%2e%2e", "6248184c-3ce0-54e7-a9f3-8db44efede9d/x"]
    {
        // No slot is granted: a request would fail in another way.
        let failure = Host::new().run(&inputs(json!({"incident_id": id})), run).expect_err(id);
        assert_eq!(failure.code(), "config", "{id}");
    }
}

#[test]
fn t17_two_steps_that_post_at_the_same_time_both_appear() {
    let (first, datadog) = with(Datadog::default());
    let other = Rc::clone(&datadog);
    let second = Host::new()
        .step("other")
        .idempotency_key("ffffffffffffffffffffffffffffffff")
        .http("datadog", move |request| other.borrow_mut().answer(request));
    // Each loses its answer, and finds its own cell among both.
    datadog.borrow_mut().fates = vec![Fate::DoneAndLost, Fate::DoneAndLost].into();
    let ids: Vec<Value> =
        [&first, &second].map(|host| post(host).expect("posted")["cell_id"].clone()).into();
    assert_eq!(ids, ["cell-1", "cell-2"]);
}

#[test]
fn t19_cells_of_unknown_kinds_are_no_hindrance_to_looking() {
    // The pretended list begins with three cells of other kinds, one without attributes.
    assert_eq!(fared(vec![Fate::DoneAndLost]), (1, 1));
}
