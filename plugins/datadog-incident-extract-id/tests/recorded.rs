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
fn an_incident_beyond_the_first_page_is_found() {
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
fn another_prefix_is_found_and_remarked() {
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
fn a_missing_incident_is_told_with_what_was_searched() {
    let (host, _) = datadog(20);
    let failure = host.run(&inputs(21), run).expect_err("not there");
    assert_eq!(failure.code(), "datadog.not-found");
    let text = "incident 21 not found (searched 20 incidents, ids 1-20); it may be deleted";
    assert!(failure.message().starts_with(text), "{failure}");
}

#[test]
fn two_incidents_of_one_number_are_listed() {
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
fn a_refusal_says_what_may_be_the_cause() {
    let failure = refused(403, r#"{"errors":["Forbidden"]}"#, None);
    assert_eq!(
        (failure.code(), failure.disposition()),
        ("datadog.forbidden", Disposition::Permanent)
    );
    for cause in ["(Forbidden)", "`my-keys`", "revoked key", "another site", "`incident_read`"] {
        assert!(failure.message().contains(cause), "{cause}: {failure}");
    }

    let failure = refused(429, "null", Some(("x-ratelimit-reset", "1800")));
    assert_eq!(
        (failure.code(), failure.disposition()),
        ("datadog.throttled", Disposition::Retryable)
    );
    assert_eq!(failure.retry_after().map(|wait| wait.as_secs()), Some(1800));

    let failure = refused(502, "<html><title>502 Bad Gateway</title></html>", None);
    assert_eq!(failure.code(), "datadog.unavailable");
    assert!(failure.message().contains("an HTML page: 502 Bad Gateway"), "{failure}");

    let failure = refused(200, "<html>", None);
    assert_eq!(failure.code(), "http.invalid-answer");
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
