//! Watches: what is seen, in which order, and how a watch ends.

use crate::client::practice;
use serde_json::json;
use std::time::{Duration, Instant};

const CONFIGS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn a_watch_sees_every_change_after_its_version() {
    let practice = practice().await;
    let config = |label: &str| json!({"metadata": {"name": "a", "labels": {"kind": label}}});
    let version = practice.cluster.get(CONFIGS).await.json()["metadata"]["resourceVersion"].clone();
    let version = version.as_str().expect("a version");
    practice.cluster.send_json("POST", CONFIGS, &config("x")).await;
    let all = format!("{CONFIGS}?watch=1&resourceVersion={version}");
    let some = format!("{all}&labelSelector=kind%3Dy");
    let mut watch = practice.cluster.open("GET", &all, &[], "").await.expect("a watch");
    let mut narrow = practice.cluster.open("GET", &some, &[], "").await.expect("a watch");

    for label in ["y", "z"] {
        practice.cluster.patch(&format!("{CONFIGS}/a"), "merge-patch+json", &config(label)).await;
    }
    practice.cluster.send("DELETE", &format!("{CONFIGS}/a"), &[], "").await;

    let mut last = version.parse::<u64>().expect("a number");
    for wanted in ["ADDED", "MODIFIED", "MODIFIED", "DELETED"] {
        let event = watch.line().await.expect("an event");
        let version = event["object"]["metadata"]["resourceVersion"].as_str().expect("a version");
        let version: u64 = version.parse().expect("a number");
        assert_eq!(
            (&event["type"], &event["object"]["kind"]),
            (&json!(wanted), &json!("ConfigMap"))
        );
        assert!(version > last, "{version} after {last}");
        last = version;
    }
    for wanted in ["ADDED", "DELETED"] {
        assert_eq!(narrow.line().await.expect("an event")["type"], wanted);
    }
}

#[tokio::test]
async fn a_watch_can_begin_with_what_there_is() {
    let practice = practice().await;
    let path = "/api/v1/namespaces?watch=true&sendInitialEvents=true&allowWatchBookmarks=true\
                &resourceVersionMatch=NotOlderThan";
    let mut watch = practice.cluster.open("GET", path, &[], "").await.expect("a watch");

    let mut names = Vec::new();
    let bookmark = loop {
        let event = watch.line().await.expect("an event");
        if event["type"] == "BOOKMARK" {
            break event;
        }
        names.push(event["object"]["metadata"]["name"].clone());
    };

    assert_eq!(names, ["default", "kube-system", "web"]);
    assert_eq!(bookmark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    let refused =
        practice.cluster.get("/api/v1/namespaces?watch=true&sendInitialEvents=true").await;
    assert_eq!(refused.status, 422);
}

#[tokio::test]
async fn a_watch_ends_in_time_or_when_the_world_starts_afresh() {
    let practice = practice().await;
    let newest = practice.cluster.get(CONFIGS).await.json()["metadata"]["resourceVersion"].clone();
    let newest = newest.as_str().expect("a version");
    let path = |seconds: u32| {
        format!("{CONFIGS}?watch=1&resourceVersion={newest}&timeoutSeconds={seconds}")
    };
    let mut short = practice.cluster.open("GET", &path(1), &[], "").await.expect("a watch");
    let mut long = practice.cluster.open("GET", &path(600), &[], "").await.expect("a watch");
    let began = Instant::now();

    assert!(short.line().await.is_none());
    assert!(began.elapsed() >= Duration::from_millis(900));
    practice.drill.reset();
    assert!(long.line().await.is_none());
}

#[tokio::test]
async fn a_version_that_is_too_old_is_told_in_the_stream() {
    let practice = practice().await;
    let path = format!("{CONFIGS}?watch=1&resourceVersion=3");
    let mut watch = practice.cluster.open("GET", &path, &[], "").await.expect("a watch");

    let event = watch.line().await.expect("an event");

    assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(410)));
    assert_eq!(event["object"]["reason"], "Expired");
    assert!(watch.line().await.is_none());
}

#[tokio::test]
async fn dropping_the_services_ends_everything() {
    let practice = practice().await;
    let path = format!("{CONFIGS}?watch=1");
    let mut watch = practice.cluster.open("GET", &path, &[], "").await.expect("a watch");

    drop(practice.drill);

    assert!(watch.line().await.is_none());
    assert!(practice.cluster.try_send("GET", CONFIGS, &[], "").await.is_err());
}
