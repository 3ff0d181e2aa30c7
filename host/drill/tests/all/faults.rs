//! The record of requests, the fresh start, and trouble on demand.

use crate::client::practice;
use drill::Service;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const NGINX: &str = "/apis/apps/v1/namespaces/default/deployments/nginx-deployment";
const MERGE: [(&str, &str); 1] = [("content-type", "application/merge-patch+json")];

fn labelled(label: &str) -> String {
    json!({"metadata": {"labels": {"touched": label}}}).to_string()
}

#[tokio::test]
async fn everything_received_is_on_record_and_no_key_is() {
    let practice = practice().await;
    let keys = practice.drill.datadog();
    let token = practice.drill.cluster().token;
    practice.cluster.get(&format!("{NGINX}?pretty={token}")).await;
    practice.datadog.get(&format!("/api/v1/validate?api_key={}", keys.api_key)).await;
    practice
        .cluster
        .send("PATCH", &format!("{NGINX}?fieldManager=me"), &MERGE, labelled("yes"))
        .await;
    let mut anyone = crate::client::Client::of_datadog(&keys);
    anyone.headers.clear();

    let shown = anyone.get("/_drill/requests").await;

    let list = shown.json();
    let list = list.as_array().expect("a list");
    assert_eq!(shown.status, 200);
    assert_eq!(list.len(), 3, "looking at the record is not recorded");
    let kept: Vec<(&Value, &Value, &Value, &Value)> = list
        .iter()
        .map(|request| {
            (&request["service"], &request["method"], &request["status"], &request["took_effect"])
        })
        .collect();
    let (cluster, datadog) = (json!("kubernetes"), json!("datadog"));
    assert_eq!(kept[0], (&cluster, &json!("GET"), &json!(200), &json!(false)));
    assert_eq!(kept[1], (&datadog, &json!("GET"), &json!(200), &json!(false)));
    assert_eq!(kept[2], (&cluster, &json!("PATCH"), &json!(200), &json!(true)));
    assert_eq!((&list[2]["path"], &list[2]["query"]), (&json!(NGINX), &json!("fieldManager=me")));
    assert!(list[2]["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{}", list[2]);
    for key in [&keys.api_key, &keys.application_key, &token] {
        assert!(!shown.text.contains(key.as_str()), "{}", shown.text);
    }
    assert!(
        !format!("{:?} {:?} {:?}", practice.drill, practice.drill.cluster(), keys)
            .contains(&keys.api_key)
    );
}

#[tokio::test]
async fn a_fault_strikes_before_or_after_the_effect() {
    let answer = json!({"answer": {"status": 503, "retry_after_seconds": 7}});
    for (when, then, status, effect) in [
        ("before", answer.clone(), Some(503), false),
        ("after", answer, Some(503), true),
        ("before", json!("cut"), None, false),
        ("after", json!("cut"), None, true),
        ("before", json!({"hang": {"seconds": 1}}), None, false),
        ("after", json!({"hang": {"seconds": 1}}), None, true),
    ] {
        let practice = practice().await;
        let fault = json!({"service": "kubernetes", "method": "PATCH", "path_prefix": "/apis/apps", "when": when, "then": then});
        assert_eq!(practice.datadog.send_json("POST", "/_drill/faults", &fault).await.status, 200);

        let reply = practice.cluster.try_send("PATCH", NGINX, &MERGE, labelled("yes")).await;
        let read = practice.cluster.get(NGINX).await;

        assert_eq!(reply.as_ref().ok().map(|reply| reply.status), status, "{fault}");
        if let Ok(reply) = reply {
            assert_eq!(reply.headers["retry-after"], "7");
            assert_eq!(reply.json()["reason"], "ServiceUnavailable");
        }
        assert_eq!(read.json()["metadata"]["labels"]["touched"] == "yes", effect, "{fault}");
        let recorded = &practice.drill.requests()[0];
        assert_eq!(
            (recorded.service, recorded.status, recorded.took_effect),
            (Service::Kubernetes, status, effect)
        );
    }
}

#[tokio::test]
async fn a_truncated_answer_breaks_off_in_the_middle() {
    let practice = practice().await;
    let fault = json!({"method": "GET", "then": "truncate"});
    practice.datadog.send_json("POST", "/_drill/faults", &fault).await;

    let broken = practice.cluster.try_send("GET", NGINX, &[], "").await;

    assert!(broken.is_err(), "{broken:?}");
    assert_eq!(practice.cluster.get(NGINX).await.status, 200);
}

#[tokio::test]
async fn a_hang_is_not_an_answer_and_does_not_hold_others_up() {
    let practice = practice().await;
    let fault = json!({"path_prefix": "/api/v1/namespaces", "then": {"hang": {"seconds": 600}}});
    practice.datadog.send_json("POST", "/_drill/faults", &fault).await;
    let hanging = practice.cluster.open("GET", "/api/v1/namespaces", &[], "");
    let began = Instant::now();

    let waited = tokio::time::timeout(Duration::from_millis(200), hanging).await;

    assert!(waited.is_err(), "it hangs");
    assert_eq!(practice.cluster.get("/api/v1/namespaces").await.status, 200);
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn datadog_can_be_in_trouble_too() {
    let practice = practice().await;
    for (then, wanted) in [
        (json!({"answer": {"status": 429, "retry_after_seconds": 3}}), "Too many requests"),
        (json!({"answer": {"status": 502}}), "Bad Gateway"),
        (
            json!({"answer": {"status": 502, "body": "<html>", "content_type": "text/html"}}),
            "<html>",
        ),
    ] {
        let fault = json!({"service": "datadog", "then": then});
        practice.datadog.send_json("POST", "/_drill/faults", &fault).await;

        let reply = practice.datadog.get("/api/v2/incidents").await;

        assert_eq!(Some(u64::from(reply.status)), then["answer"]["status"].as_u64());
        assert!(reply.text.contains(wanted), "{}", reply.text);
        if reply.status == 429 {
            assert_eq!(reply.headers["x-ratelimit-reset"], "3");
        }
    }
}

#[tokio::test]
async fn a_fresh_start_forgets_everything_but_addresses_and_keys() {
    let practice = practice().await;
    let before = practice.drill.picture();
    practice.cluster.send("DELETE", NGINX, &[], "").await;
    practice.datadog.send("DELETE", "/api/v2/incidents/nonsense", &[], "").await;
    practice.datadog.send_json("POST", "/_drill/faults", &json!({"then": "cut"})).await;
    assert!(!practice.drill.picture().changes_since(&before).is_empty());

    let reset = practice.datadog.send("POST", "/_drill/reset", &[], "").await;

    assert_eq!(reset.status, 200);
    assert!(practice.drill.requests().is_empty());
    assert_eq!(practice.drill.picture().changes_since(&before), Vec::<String>::new());
    assert_eq!(practice.cluster.get(NGINX).await.status, 200);
}

#[tokio::test]
async fn wrong_control_requests_are_told_so() {
    let practice = practice().await;
    for (method, path, body, wanted) in [
        ("GET", "/_drill/nothing", "", 404),
        ("GET", "/_drill/reset", "", 405),
        ("POST", "/_drill/faults", "{", 400),
        ("POST", "/_drill/faults", r#"{"then":"explode"}"#, 400),
        ("POST", "/_drill/faults", r#"{"then":"cut","wehn":"after"}"#, 400),
        ("POST", "/_drill/faults", r#"[{"then":"cut"},{"then":"cut","times":0}]"#, 400),
        ("POST", "/_drill/faults", r#"[{"path_prefix":"/x","then":"cut"}]"#, 200),
        ("DELETE", "/_drill/faults", "", 204),
        ("GET", "/_drill/picture", "", 200),
    ] {
        let reply = practice.datadog.send(method, path, &[], body).await;
        assert_eq!(reply.status, wanted, "{method} {path} {body}: {}", reply.text);
    }
}
