//! The step against recorded pages of the real service, and against a pretended one.

use bowline_sdk::testing::{Answer, Host, SentRequest};
use bowline_sdk::{Disposition, Failure};
use datadog_incident_extract_id::run;
use serde_json::{Value, json};
use std::{cell::RefCell, fs, path::PathBuf, rc::Rc};

fn inputs(public_id: impl Into<Value>) -> Value {
    json!({
        "connection": {"connection": {"type": "datadog", "name": "my-keys"}},
        "public_id": public_id.into(),
    })
}

fn incident(number: u64) -> Value {
    json!({
        "id": format!("00000000-0000-4000-8000-{number:012}"),
        "type": "incidents",
        "attributes": {
            "public_id": number,
            "title": format!("incident {number}"),
            "state": "active",
            "severity": null,
            "customer_impact": {"never": ["seen"]},
            "fields": {
                "slug": {"type": "textbox", "value": format!("IR-{number}")},
                "severity": {"type": "dropdown", "value": "SEV-3"},
                "teams": null,
            },
        },
    })
}

/// Datadog with incidents 1 to `count`.
fn datadog(count: u64) -> (Host, Rc<RefCell<Vec<String>>>) {
    let asked = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&asked);
    let host = Host::new().http("datadog", move |request: &SentRequest| {
        log.borrow_mut().push(format!("{} {}", request.method, request.path));
        let offset: u64 = request
            .path
            .split("page[offset]=")
            .nth(1)
            .and_then(|offset| offset.parse().ok())
            .expect("an offset");
        let page: Vec<Value> = (offset + 1..=count).take(100).map(incident).collect();
        let next = offset + page.len() as u64;
        Ok(Answer::json(200, &json!({"data": page, "meta": {"pagination": {"next_offset": next}}})))
    });
    (host, asked)
}

#[test]
fn d05_an_incident_beyond_the_first_page_is_found() {
    let (host, asked) = datadog(260);

    let outputs = host.run(&inputs("IR-230"), run).expect("outputs");

    assert_eq!(
        outputs,
        json!({
            "incident_id": "00000000-0000-4000-8000-000000000230",
            "public_id": 230,
            "slug": "IR-230",
            "title": "incident 230",
            "state": "active",
            "severity": "SEV-3",
        })
    );
    assert_eq!(*asked.borrow(), ["GET /api/v2/incidents?page[size]=100&page[offset]=130"]);
}

#[test]
fn d02_another_prefix_is_found_and_remarked() {
    let (host, _) = datadog(20);
    let outputs = host.run(&inputs("SEC-12"), run).expect("outputs");
    assert_eq!(outputs["public_id"], 12);
    let lines = host.lines();
    assert!(lines.iter().any(|line| line.starts_with("warn `SEC-…` was asked for")), "{lines:?}");
}

#[test]
fn an_internal_id_needs_no_request() {
    let host = Host::new();
    let outputs = host.run(&inputs("6248184C3CE054E7A9F38DB44EFEDE9D"), run).expect("outputs");
    assert_eq!(outputs, json!({"incident_id": "6248184c-3ce0-54e7-a9f3-8db44efede9d"}));
}

#[test]
fn d07_a_missing_incident_is_told_with_what_was_searched() {
    let (host, _) = datadog(20);
    let failure = host.run(&inputs(21), run).expect_err("not there");
    assert_eq!(failure.code(), "datadog.not-found");
    let text = "incident 21 not found (searched 20 incidents, ids 1-20); it may be deleted";
    assert!(failure.message().starts_with(text), "{failure}");
}

#[test]
fn d10_two_incidents_of_one_number_are_listed() {
    let mut twin = incident(5);
    twin["id"] = json!("ffffffff-0000-4000-8000-000000000005");
    let page = json!({"data": [incident(5), twin]});
    let host = Host::new().http("datadog", move |_| Ok(Answer::json(200, &page)));
    let failure = host.run(&inputs(5), run).expect_err("two");
    assert_eq!(failure.code(), "datadog.ambiguous");
    assert!(failure.message().contains("00000000-0000-4000-8000-000000000005 (incident 5)"));
    assert!(failure.message().contains("ffffffff-0000-4000-8000-000000000005"));
}

fn refused(
    status: u16,
    body: &'static str,
    header: Option<(&'static str, &'static str)>,
) -> Failure {
    let host = Host::new().http("datadog", move |_| {
        let answer = Answer::new(status, body);
        Ok(header.into_iter().fold(answer, |answer, (name, value)| answer.header(name, value)))
    });
    host.run(&inputs(5), run).expect_err("refused")
}

#[test]
fn d11_a_403_names_all_that_may_be_the_cause() {
    let failure = refused(403, r#"{"errors":["Forbidden"]}"#, None);
    assert_eq!(
        (failure.code(), failure.disposition()),
        ("datadog.forbidden", Disposition::Permanent)
    );
    for cause in ["(Forbidden)", "`my-keys`", "revoked key", "another site", "not allowed"] {
        assert!(failure.message().contains(cause), "{cause}: {failure}");
    }
}

#[test]
fn d13_a_403_names_the_permission_that_a_scoped_key_may_lack() {
    let failure = refused(403, r#"{"errors":[{"title":"Forbidden"}]}"#, None);
    assert!(failure.message().contains("`incident_read` (or the application key's scope does)"));
}

#[test]
fn d16_a_reset_that_does_not_fit_is_told_and_not_waited_for() {
    let asked = Rc::new(RefCell::new(0));
    let count = Rc::clone(&asked);
    let host = Host::new().http("datadog", move |_| {
        *count.borrow_mut() += 1;
        let answer = Answer::new(429, "null").header("x-ratelimit-reset", "1800");
        // Recorded answers say so while they refuse.
        Ok(answer.header("x-ratelimit-remaining", "9"))
    });
    let failure = host.run(&inputs(5), run).expect_err("throttled");
    assert_eq!(
        (failure.code(), failure.disposition()),
        ("datadog.throttled", Disposition::Retryable)
    );
    assert_eq!(failure.retry_after().map(|wait| wait.as_secs()), Some(1800));
    assert_eq!((*asked.borrow(), host.slept().as_secs()), (1, 0));
}

#[test]
fn d17_a_429_that_says_nothing_is_waited_for_longer_each_time() {
    let times = Rc::new(RefCell::new(0));
    let count = Rc::clone(&times);
    let host = Host::new().http("datadog", move |_| {
        *count.borrow_mut() += 1;
        Ok(Answer::new(429, ""))
    });
    let failure = host.run(&inputs(5), run).expect_err("throttled");
    assert_eq!((failure.code(), *times.borrow()), ("datadog.throttled", 4));
    let slept = host.slept().as_millis();
    assert!((1_700..=3_500).contains(&slept), "0.5, 1 and 2 s with jitter, not {slept} ms");
}

#[test]
fn d18_a_gateway_that_fails_is_asked_again_and_its_page_is_no_answer() {
    let page = format!("<html><title>502 Bad Gateway</title>{}</html>", "x".repeat(10_000));
    for (status, body) in
        [(502, page.as_str()), (500, ""), (502, r#"{"code":502,"errors":["Bad Gateway"]}"#)]
    {
        let (times, body) = (Rc::new(RefCell::new(0)), body.to_owned());
        let count = Rc::clone(&times);
        let host = Host::new().http("datadog", move |_| {
            *count.borrow_mut() += 1;
            Ok(Answer::new(status, body.clone()))
        });
        let failure = host.run(&inputs(5), run).expect_err("unavailable");
        assert_eq!((failure.code(), *times.borrow()), ("datadog.unavailable", 4), "{status}");
        let kept = failure.details().get("body").and_then(Value::as_str).unwrap_or_default();
        assert!(kept.len() <= 2048 && failure.message().len() < 400, "{failure}");
    }
    assert_eq!(refused(200, "<html>", None).code(), "http.invalid-answer");
    assert_eq!(refused(200, r#"{"data":null}"#, None).code(), "http.invalid-answer");
}

#[test]
fn d06_an_incident_that_the_search_does_not_know_yet_is_found() {
    let (host, asked) = datadog(338);
    let outputs = host.run(&inputs(338), run).expect("the newest incident");
    assert_eq!(outputs["public_id"], 338);
    assert!(asked.borrow().iter().all(|line| line.starts_with("GET /api/v2/incidents?page")));
}

#[test]
fn d08_a_server_with_its_own_idea_of_pages_does_not_make_it_endless() {
    // Its pages have 25 incidents whatever was asked for, and say that there is more.
    let page = |from: u64, to: u64| -> Value {
        let items: Vec<Value> = (from + 1..=to).take(25).map(incident).collect();
        json!({"data": items, "meta": {"pagination": {"next_offset": from + 25, "size": 25}}})
    };
    let host = Host::new().http("datadog", move |request| {
        let offset = request.path.rsplit('=').next().and_then(|n| n.parse().ok()).expect("offset");
        Ok(Answer::json(200, &page(offset, 90)))
    });
    assert_eq!(host.run(&inputs(77), run).expect("on a short page")["public_id"], 77);
    assert_eq!(host.run(&inputs(91), run).expect_err("absent").code(), "datadog.not-found");

    // It gives its first page for ever.
    let times = Rc::new(RefCell::new(0));
    let count = Rc::clone(&times);
    let stuck = Host::new().http("datadog", move |_| {
        *count.borrow_mut() += 1;
        Ok(Answer::json(200, &page(0, 90)))
    });
    assert_eq!(stuck.run(&inputs(60), run).expect_err("absent").code(), "datadog.not-found");
    assert!(*times.borrow() <= 150, "{}", times.borrow());
}

#[test]
fn d09_doubles_and_a_deletion_while_paging_do_no_harm() {
    // After the first page an incident before the wanted one is deleted: what was at its offset is
    // now one place further up, and one page holds the same incident twice.
    let deleted = RefCell::new(false);
    let host = Host::new().http("datadog", move |request| {
        let offset: usize =
            request.path.rsplit('=').next().and_then(|n| n.parse().ok()).expect("offset");
        let gone = deleted.replace(true);
        let mut numbers: Vec<u64> =
            (1..=300).filter(|n| !(gone && *n == 5) && n % 3 != 0).collect();
        numbers.insert(100, numbers[99]);
        let items: Vec<Value> = numbers.into_iter().skip(offset).take(100).map(incident).collect();
        Ok(Answer::json(200, &json!({"data": items})))
    });
    for wanted in [148, 149, 151, 200] {
        let outputs = host.run(&inputs(wanted), run).expect("found once");
        assert_eq!(outputs["public_id"], wanted);
    }
}

fn recordings() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/datadog/recordings/interactions/incidents");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: the recordings are not at {}", folder.display());
    None
}

#[test]
fn every_incident_on_a_recorded_page_is_found() {
    let Some(folder) = recordings() else { return };
    let mut pages = 0;
    for entry in fs::read_dir(folder).expect("list the recordings") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if !name.starts_with("list-200-") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("read a recording");
        let recording: Value = serde_json::from_str(&text).expect("JSON");
        let body = recording["response"]["body"].clone();
        let wanted: Vec<(Value, Value)> = body["data"]
            .as_array()
            .expect("data")
            .iter()
            .map(|incident| (incident["attributes"]["public_id"].clone(), incident["id"].clone()))
            .collect();
        for (number, id) in wanted {
            let page = body.clone();
            // The page stands where its first incident would be; beyond it the list ends.
            let host = Host::new().http("datadog", move |request| {
                let start = page["data"][0]["attributes"]["public_id"].as_u64().unwrap_or(1) - 1;
                let offset: u64 =
                    request.path.rsplit('=').next().and_then(|n| n.parse().ok()).expect("offset");
                let skip = usize::try_from(offset.saturating_sub(start)).unwrap_or(usize::MAX);
                let data: Vec<&Value> =
                    page["data"].as_array().into_iter().flatten().skip(skip).collect();
                Ok(Answer::json(200, &json!({"data": data})))
            });
            let outputs = host.run(&inputs(number.clone()), run);
            assert_eq!(outputs.expect(&name)["incident_id"], id, "{name}: {number}");
        }
        pages += 1;
    }
    assert!(pages >= 15, "only {pages} recorded pages were found");
}
