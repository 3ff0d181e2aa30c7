//! The practice Datadog, as its clients see it.

use crate::client::{Client, practice, practice_with};
use drill::Options;
use serde_json::{Value, json};

const INCIDENTS: &str = "/api/v2/incidents";

async fn all(datadog: &Client) -> Vec<Value> {
    let mut found = Vec::new();
    loop {
        let path = format!("{INCIDENTS}?page[size]=100&page[offset]={}", found.len());
        let page = datadog.get(&path).await.json()["data"].as_array().expect("incidents").clone();
        if page.is_empty() {
            return found;
        }
        found.extend(page);
    }
}

async fn id_of(datadog: &Client, public_id: u64) -> String {
    let incidents = all(datadog).await;
    let found = incidents.iter().find(|incident| incident["attributes"]["public_id"] == public_id);
    found.expect("the incident")["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn keys_are_asked_for_where_the_real_service_asks() {
    let mut practice = practice().await;
    let keys = practice.drill.datadog();
    let (api, application) = (keys.api_key.as_str(), keys.application_key.as_str());
    let event = r#"{"title":"a","text":"b"}"#;
    for (headers, method, path, body, wanted, said) in [
        (vec![], "GET", "/api/v1/validate", "", 403, "API key required"),
        (vec![("dd-api-key", "x")], "GET", "/api/v1/validate", "", 403, "Forbidden"),
        (vec![("dd-api-key", api)], "GET", "/api/v1/validate", "", 200, "true"),
        (vec![], "GET", INCIDENTS, "", 403, "Forbidden"),
        (vec![("dd-api-key", api)], "GET", INCIDENTS, "", 403, "Forbidden"),
        (vec![("dd-application-key", application)], "GET", INCIDENTS, "", 403, "Forbidden"),
        (
            vec![("dd-api-key", application), ("dd-application-key", api)],
            "GET",
            INCIDENTS,
            "",
            403,
            "Forbidden",
        ),
        (
            vec![("dd-api-key", api), ("dd-application-key", application)],
            "GET",
            INCIDENTS,
            "",
            200,
            "data",
        ),
        (vec![("authorization", "Bearer x")], "GET", INCIDENTS, "", 401, "Unauthorized"),
        (vec![("dd-api-key", api)], "POST", "/api/v1/events", event, 202, "ok"),
        (vec![], "POST", "/api/v1/events", event, 403, "Forbidden"),
        (
            vec![("dd-api-key", api), ("dd-application-key", application)],
            "GET",
            "/api/v2/permissions",
            "",
            200,
            "incident_write",
        ),
        (vec![("dd-api-key", api)], "GET", "/api/v2/nothing", "", 404, "Not found"),
    ] {
        practice.datadog.headers =
            headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let reply = practice.datadog.send(method, path, &[], body).await;
        assert_eq!(reply.status, wanted, "{method} {path} with {} headers", headers.len());
        assert!(reply.text.contains(said), "{}", reply.text);
    }
    practice.datadog.headers.clear();
    let in_query = format!("{INCIDENTS}?api_key={api}&application_key={application}");
    assert_eq!(practice.datadog.get(&in_query).await.status, 403, "keys in the query are no keys");
}

#[tokio::test]
async fn the_list_is_oldest_first_and_always_names_a_next_offset() {
    let practice = practice().await;
    let ids = |page: &Value| {
        let data = page["data"].as_array().expect("incidents").iter();
        data.map(|incident| incident["attributes"]["public_id"].as_u64().unwrap_or(0))
            .collect::<Vec<_>>()
    };

    let first = practice.datadog.get("/api/v2/incidents/").await;
    let last = practice
        .datadog
        .get(&format!("{INCIDENTS}?page%5Bsize%5D=100&page%5Boffset%5D=100"))
        .await
        .json();
    let beyond =
        practice.datadog.get(&format!("{INCIDENTS}?page[size]=10&page[offset]=500")).await.json();

    assert_eq!(ids(&first.json()), [(1..=12).collect::<Vec<u64>>(), (14..=26).collect()].concat());
    assert_eq!(
        first.json()["meta"]["pagination"],
        json!({"offset": 0, "next_offset": 25, "size": 25})
    );
    assert_eq!(ids(&last), (106..=120).collect::<Vec<u64>>());
    assert_eq!(last["meta"]["pagination"]["next_offset"], 200);
    assert_eq!(
        (ids(&beyond).len(), &beyond["meta"]["pagination"]["next_offset"]),
        (0, &json!(510))
    );
    for query in ["page[size]=101", "page[size]=0", "page[offset]=-1", "page[size]=ten"] {
        assert_eq!(
            practice.datadog.get(&format!("{INCIDENTS}?{query}")).await.status,
            400,
            "{query}"
        );
    }
    let headers = &first.headers;
    assert_eq!(
        (&headers["x-ratelimit-limit"], &headers["x-ratelimit-period"]),
        (&"400".parse().expect("a value"), &"60".parse().expect("a value"))
    );
}

#[tokio::test]
async fn an_incident_is_found_by_its_id_only() {
    let practice = practice().await;
    let id = id_of(&practice.datadog, 5).await;
    let bare = id.replace('-', "").to_uppercase();
    let unknown = "00000000-0000-0000-0000-000000000000";
    let plain = "application/json";
    let api = "application/vnd.api+json";
    for (path, wanted, media_type, said) in [
        (format!("{INCIDENTS}/{id}"), 200, plain, "\"IR-5\""),
        (format!("{INCIDENTS}/{bare}"), 200, plain, "\"public_id\":5"),
        (format!("{INCIDENTS}/5"), 404, api, "malformed incident ID"),
        (format!("{INCIDENTS}/IR-5"), 404, api, "malformed incident ID"),
        (
            format!("{INCIDENTS}/{unknown}"),
            404,
            plain,
            "incident 00000000-0000-0000-0000-000000000000 not found",
        ),
        (format!("{INCIDENTS}/{unknown}/timeline"), 404, api, "incident not found"),
        (format!("{INCIDENTS}/x/timeline"), 404, api, "malformed incident ID"),
        (format!("{INCIDENTS}/{id}/nothing"), 404, plain, "Not found"),
        (format!("{INCIDENTS}/%zz"), 400, plain, "can't be decoded"),
    ] {
        let reply = practice.datadog.get(&path).await;
        assert_eq!(
            (reply.status, reply.headers["content-type"].to_str().ok()),
            (wanted, Some(media_type)),
            "{path}"
        );
        assert!(reply.text.contains(said), "{path}: {}", reply.text);
    }
}

#[tokio::test]
async fn the_search_is_behind_and_may_ignore_public_ids() {
    let knows = practice().await;
    let options = Options { search_knows_public_ids: false, ..Options::default() };
    let ignores = practice_with(options).await;
    let total = |reply: crate::client::Reply| reply.json()["data"]["attributes"]["total"].as_u64();
    for (query, wanted, wanted_when_ignored) in [
        ("query=public_id:5", 1, 112),
        ("query=public_id:117", 1, 112),
        ("query=public_id:118", 0, 112),
        ("query=public_id:120", 0, 112),
        ("query=public_id:42", 0, 112),
        ("query=state:(active%20OR%20stable)", 3, 3),
        ("query=state:active%20nginx", 1, 1),
    ] {
        let path = format!("{INCIDENTS}/search?{query}");
        assert_eq!(total(knows.datadog.get(&path).await), Some(wanted), "{query}");
        assert_eq!(total(ignores.datadog.get(&path).await), Some(wanted_when_ignored), "{query}");
    }
    let newest =
        knows.datadog.get(&format!("{INCIDENTS}/search?query=*&page[size]=1")).await.json();
    assert_eq!(
        newest["data"]["attributes"]["incidents"][0]["data"]["attributes"]["public_id"],
        117
    );
    assert_eq!(knows.datadog.get(&format!("{INCIDENTS}/search")).await.status, 400);
}

#[tokio::test]
async fn a_timeline_takes_cells_and_shows_the_documented_key() {
    let practice = practice().await;
    let before = practice.drill.picture();
    let id = id_of(&practice.datadog, 117).await;
    let path = format!("{INCIDENTS}/{id}/timeline");
    let cell = |content: Value| {
        json!({"data": {"type": "incident_timeline_cells", "attributes": {
        "cell_type": "markdown", "content": content, "source": "unknown"}}})
    };

    let new =
        practice.datadog.send_json("POST", &path, &cell(json!({"message": "Rolled back"}))).await;
    let old =
        practice.datadog.send_json("POST", &path, &cell(json!({"content": "The old way"}))).await;
    let both = practice
        .datadog
        .send_json("POST", &path, &cell(json!({"message": "a", "content": "b"})))
        .await;
    let entry = format!("{path}/{}", new.json()["data"]["id"].as_str().expect("an id"));
    let changed = practice
        .datadog
        .send_json("PATCH", &entry, &cell(json!({"message": "Rolled back!"})))
        .await;
    let list = practice.datadog.get(&path).await.json();

    assert_eq!(
        (new.status, old.status, both.status, changed.status),
        (201, 201, 400, 200),
        "{}",
        both.text
    );
    assert_eq!(old.json()["data"]["attributes"]["content"], json!({"message": "The old way"}));
    assert_eq!(new.json()["data"]["attributes"]["source"], "api");
    assert_eq!(new.json()["data"]["attributes"]["incident_id"], json!(id));
    assert_eq!(list["data"].as_array().map(Vec::len), Some(4));
    let title = "incident IR-117 \"nginx-deployment: pods in ImagePullBackOff after a rollout\"";
    assert_eq!(
        practice.drill.picture().changes_since(&before),
        [
            format!("{title}: +1 timeline cell: \"Rolled back!\""),
            format!("{title}: +1 timeline cell: \"The old way\""),
        ]
    );
    assert_eq!(practice.datadog.send("DELETE", &entry, &[], "").await.status, 204);
    assert_eq!(practice.datadog.send("DELETE", &entry, &[], "").await.status, 404);
    let effects = practice.drill.requests().iter().filter(|request| request.took_effect).count();
    assert_eq!(effects, 4);
}

#[tokio::test]
async fn an_incident_is_created_changed_and_deleted() {
    let practice = practice().await;
    let create =
        |attributes: Value| json!({"data": {"type": "incidents", "attributes": attributes}});
    for (attributes, said) in [
        (json!({"title": "a"}), "customer_impacted"),
        (json!({"customer_impacted": false}), "title"),
        (json!({"title": "  ", "customer_impacted": false}), "title"),
        (json!({"title": "a", "customer_impacted": true}), "customer_impact_scope"),
        (json!({"title": "a", "customer_impacted": "no"}), "customer_impacted"),
        (
            json!({"title": "a", "customer_impacted": false, "fields": {"severity": {"type": "dropdown", "value": "SEV-9"}}}),
            "severity",
        ),
        (
            json!({"title": "a", "customer_impacted": false, "fields": {"x": {"type": "odd", "value": "b"}}}),
            "type",
        ),
    ] {
        let reply =
            practice.datadog.send_json("POST", INCIDENTS, &create(attributes.clone())).await;
        assert_eq!(reply.status, 400, "{attributes}");
        assert!(
            reply.json()["errors"][0]["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains(said)),
            "{}",
            reply.text
        );
    }

    let created = practice
        .datadog
        .send_json(
            "POST",
            INCIDENTS,
            &create(json!({
        "title": "checkout 5xx", "customer_impacted": false,
        "fields": {"severity": {"type": "dropdown", "value": "SEV-3"}},
        "initial_cells": [{"cell_type": "markdown", "content": {"content": "Opened by a run"}}]})),
        )
        .await;
    let incident = created.json()["data"].clone();
    let path = format!("{INCIDENTS}/{}", incident["id"].as_str().expect("an id"));
    let resolve = json!({"data": {"id": incident["id"], "type": "incidents", "attributes": {
        "fields": {"state": {"type": "dropdown", "value": "resolved"}}}}});
    let resolved = practice.datadog.send_json("PATCH", &path, &resolve).await;
    let again = practice.datadog.send_json("PATCH", &path, &resolve).await;
    let timeline = practice.datadog.get(&format!("{path}/timeline")).await.json();

    assert_eq!((created.status, &incident["attributes"]["public_id"]), (201, &json!(121)));
    assert_eq!(incident["attributes"]["severity"], "SEV-3");
    assert_eq!(incident["attributes"]["fields"]["slug"]["value"], "IR-121");
    assert_eq!(resolved.json()["data"]["attributes"]["state"], "resolved");
    assert!(resolved.json()["data"]["attributes"]["resolved"].is_string());
    assert_eq!(
        again.json()["data"]["attributes"]["modified"],
        resolved.json()["data"]["attributes"]["modified"]
    );
    assert_eq!(timeline["data"][0]["attributes"]["content"]["message"], "Opened by a run");
    let wrong = json!({"data": {"id": "other", "type": "incidents", "attributes": {}}});
    assert_eq!(practice.datadog.send_json("PATCH", &path, &wrong).await.status, 400);
    let deletions = [
        practice.datadog.send("DELETE", &path, &[], "").await.status,
        practice.datadog.send("DELETE", &path, &[], "").await.status,
    ];
    assert_eq!(deletions, [204, 404]);
}

#[tokio::test]
async fn events_are_taken_in_both_versions() {
    let practice = practice().await;
    let before = practice.drill.picture();
    let change = |category: &str| {
        json!({"data": {"type": "event", "attributes": {
        "title": "rolled back", "category": category, "message": "done",
        "attributes": {"changed_resource": {"name": "web", "type": "configuration"}}}}})
    };

    let one = practice
        .datadog
        .send_json(
            "POST",
            "/api/v1/events",
            &json!({"title": "a", "text": "b", "alert_type": "info"}),
        )
        .await;
    let refused = practice.datadog.send_json("POST", "/api/v1/events", &json!({"text": "b"})).await;
    let two = practice.datadog.send_json("POST", "/api/v2/events", &change("change")).await;
    let wrong = practice.datadog.send_json("POST", "/api/v2/events", &change("gossip")).await;

    let event = &one.json()["event"];
    let id = event["id_str"].as_str().expect("an id").to_owned();
    assert_eq!((one.status, two.status), (202, 202), "{} {}", one.text, two.text);
    assert!(id.parse::<u64>().is_ok_and(|id| id > 1 << 53), "{id}");
    assert_eq!(
        (refused.status, refused.headers["content-type"].to_str().ok()),
        (400, Some("text/plain; charset=utf-8"))
    );
    assert!(
        wrong.text.contains("value must be one of: [\\\"alert\\\", \\\"change\\\"]"),
        "{}",
        wrong.text
    );
    assert!(two.json()["data"]["attributes"]["attributes"]["evt"]["uid"].is_string());
    assert_eq!(practice.datadog.get(&format!("/api/v1/events/{id}")).await.status, 404, "not yet");
    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    let found = practice.datadog.get(&format!("/api/v1/events/{id}")).await;
    assert_eq!((found.status, &found.json()["event"]["id_str"]), (200, &json!(id)));
    assert_eq!(
        practice.drill.picture().changes_since(&before),
        ["event posted: \"a\"", "event posted: \"rolled back\""]
    );
}

#[tokio::test]
async fn too_many_requests_in_a_window_are_refused_with_the_time_to_wait() {
    let practice = practice().await;
    let mut refused = None;
    // The window is one of the calendar: when it turns in the middle, a second one is used up.
    for _ in 0..900 {
        let reply = practice.datadog.get(&format!("{INCIDENTS}?page[size]=1")).await;
        if reply.status == 429 {
            refused = Some(reply);
            break;
        }
    }

    let refused = refused.expect("a limit");

    assert_eq!(refused.headers["x-ratelimit-remaining"], "0");
    let reset: u64 =
        refused.headers["x-ratelimit-reset"].to_str().expect("text").parse().expect("a number");
    assert!((1..=60).contains(&reset), "{reset}");
    assert!(refused.text.starts_with(r#"{"errors":["Rate limit"#), "{}", refused.text);
}
