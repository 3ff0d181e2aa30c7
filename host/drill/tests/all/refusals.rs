//! How the API server says no.

use crate::client::practice;
use serde_json::json;

const NGINX: &str = "/apis/apps/v1/namespaces/default/deployments/nginx-deployment";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

#[tokio::test]
async fn without_the_right_token_nobody_gets_in() {
    let mut practice = practice().await;
    let token = practice.drill.cluster().token;
    for (header, path, wanted) in [
        (None, NGINX, 401),
        (None, "/api", 401),
        (None, "/version", 200),
        (None, "/readyz", 200),
        (Some("Bearer nonsense".to_owned()), "/version", 401),
        (Some(format!("Basic {token}")), NGINX, 401),
        (Some(format!("Bearer {token}x")), NGINX, 401),
        (Some("Bearer".to_owned()), NGINX, 401),
        (Some(format!("bearer {token}")), NGINX, 200),
    ] {
        practice.cluster.headers =
            header.iter().map(|value| ("authorization", value.clone())).collect();
        let reply = practice.cluster.get(path).await;
        assert_eq!(reply.status, wanted, "{header:?} {path}");
        if wanted == 401 {
            let status = reply.json();
            assert_eq!(
                (&status["kind"], &status["reason"]),
                (&json!("Status"), &json!("Unauthorized"))
            );
            assert_eq!(status["message"], "Unauthorized");
        }
    }
}

#[tokio::test]
async fn every_refusal_has_its_code_reason_and_words() {
    let practice = practice().await;
    let json = "application/json";
    let other =
        r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a","namespace":"web"}}"#;
    let bare = r#"{"metadata":{"name":"a"},"spec":{"selector":{"matchLabels":{"a":"b"}}}}"#;
    for (method, path, media_type, body, code, reason, said) in [
        (
            "GET",
            "/apis/apps/v1/namespaces/default/deployments/missing",
            json,
            "",
            404,
            "NotFound",
            "deployments.apps \"missing\" not found",
        ),
        (
            "GET",
            "/api/v1/namespaces/nope",
            json,
            "",
            404,
            "NotFound",
            "namespaces \"nope\" not found",
        ),
        (
            "GET",
            "/apis/batch/v1/jobs",
            json,
            "",
            404,
            "NotFound",
            "could not find the requested resource",
        ),
        ("GET", "/nonsense", json, "", 404, "NotFound", "could not find"),
        (
            "GET",
            "/apis/apps/v1/deployments?labelSelector=a%20in%20b",
            json,
            "",
            400,
            "BadRequest",
            "unable to parse requirement",
        ),
        (
            "GET",
            "/apis/apps/v1/deployments?fieldSelector=spec.x%3D1",
            json,
            "",
            400,
            "BadRequest",
            "field label not supported: spec.x",
        ),
        ("GET", "/apis/apps/v1/deployments?limit=-1", json, "", 400, "BadRequest", "limit"),
        (
            "GET",
            "/apis/apps/v1/deployments?continue=xyz",
            json,
            "",
            400,
            "BadRequest",
            "continue key is not valid",
        ),
        (
            "GET",
            "/apis/apps/v1/deployments?resourceVersion=abc",
            json,
            "",
            422,
            "Invalid",
            "resourceVersion",
        ),
        (
            "GET",
            "/apis/apps/v1/deployments?resourceVersion=1&resourceVersionMatch=Exact",
            json,
            "",
            410,
            "Expired",
            "too old",
        ),
        (
            "GET",
            "/apis/apps/v1/deployments?resourceVersion=99999999",
            json,
            "",
            504,
            "Timeout",
            "Too large resource version",
        ),
        ("GET", "/apis/apps/v1/%zz", json, "", 400, "BadRequest", "can't be decoded"),
        ("PUT", DEPLOYMENTS, json, "{}", 405, "MethodNotAllowed", "does not allow this method"),
        (
            "POST",
            "/apis/apps/v1/deployments",
            json,
            "{}",
            405,
            "MethodNotAllowed",
            "does not allow",
        ),
        ("POST", DEPLOYMENTS, "text/csv", "a,b", 415, "UnsupportedMediaType", "application/json"),
        ("POST", DEPLOYMENTS, json, "{", 400, "BadRequest", "couldn't get the object"),
        ("POST", DEPLOYMENTS, json, "[]", 400, "BadRequest", "not an object"),
        (
            "POST",
            DEPLOYMENTS,
            json,
            r#"{"kind":"Pod"}"#,
            400,
            "BadRequest",
            "does not match the expected kind",
        ),
        ("POST", DEPLOYMENTS, json, other, 400, "BadRequest", "namespace of the provided object"),
        ("POST", DEPLOYMENTS, json, bare, 422, "Invalid", "Deployment.apps \"a\" is invalid"),
        (
            "POST",
            "/apis/apps/v1/namespaces/nope/deployments",
            json,
            bare,
            404,
            "NotFound",
            "namespaces \"nope\" not found",
        ),
        (
            "PUT",
            NGINX,
            json,
            r#"{"metadata":{"name":"x"}}"#,
            400,
            "BadRequest",
            "does not match the name on the URL",
        ),
        ("PATCH", NGINX, json, "{}", 415, "UnsupportedMediaType", "application/json-patch+json"),
        (
            "PATCH",
            NGINX,
            "application/apply-patch+yaml",
            "{}",
            422,
            "Invalid",
            "fieldManager: Required value",
        ),
        (
            "PATCH",
            NGINX,
            "application/merge-patch+json",
            "{",
            400,
            "BadRequest",
            "error decoding patch",
        ),
        (
            "PATCH",
            NGINX,
            "application/merge-patch+json",
            r#"{"spec":{"replicas":-1}}"#,
            422,
            "Invalid",
            "spec.replicas: Invalid value: -1",
        ),
        (
            "PATCH",
            NGINX,
            "application/merge-patch+json",
            r#"{"spec":{"replicas":"3"}}"#,
            400,
            "BadRequest",
            "cannot unmarshal string",
        ),
        (
            "PATCH",
            NGINX,
            "application/merge-patch+json",
            r#"{"spec":{"selector":{"matchLabels":{"app":"x"}}}}"#,
            422,
            "Invalid",
            "field is immutable",
        ),
        (
            "PATCH",
            "/apis/apps/v1/namespaces/default/deployments/missing",
            "application/merge-patch+json",
            "{}",
            404,
            "NotFound",
            "\"missing\" not found",
        ),
        (
            "PATCH",
            "/apis/apps/v1/namespaces/kube-system/deployments/coredns",
            "application/merge-patch+json",
            "{}",
            403,
            "Forbidden",
            "User \"bowline-practice\" cannot patch resource \"deployments\" in API group \"apps\" in the namespace \"kube-system\"",
        ),
        (
            "PATCH",
            "/apis/apps/v1/namespaces/kube-system/deployments/coredns/scale",
            "application/merge-patch+json",
            "{}",
            403,
            "Forbidden",
            "resource \"deployments/scale\"",
        ),
        (
            "GET",
            "/api/v1/secrets",
            json,
            "",
            403,
            "Forbidden",
            "cannot list resource \"secrets\" in API group \"\" at the cluster scope",
        ),
        (
            "DELETE",
            NGINX,
            json,
            r#"{"propagationPolicy":"Sideways"}"#,
            400,
            "BadRequest",
            "propagationPolicy",
        ),
        (
            "GET",
            "/apis/apps/v1/namespaces/web/daemonsets/log-agent/scale",
            json,
            "",
            404,
            "NotFound",
            "could not find",
        ),
    ] {
        let reply =
            practice.cluster.send(method, path, &[("content-type", media_type)], body).await;
        let status = reply.json();
        assert_eq!(reply.status, code, "{method} {path} {body}: {}", reply.text);
        assert_eq!(
            (&status["kind"], &status["status"]),
            (&json!("Status"), &json!("Failure")),
            "{path}"
        );
        assert_eq!(
            (&status["code"], &status["reason"]),
            (&json!(code), &json!(reason)),
            "{method} {path}"
        );
        assert!(status["message"].as_str().unwrap_or_default().contains(said), "{status}");
    }
}

#[tokio::test]
async fn bodies_that_are_too_large_or_too_deep_are_refused() {
    let practice = practice().await;
    let merge = [("content-type", "application/merge-patch+json")];
    let large =
        format!(r#"{{"metadata":{{"annotations":{{"a":"{}"}}}}}}"#, "x".repeat(4 * 1024 * 1024));
    let middle = format!(r#"{{"spec":{{"x":"{}"}}}}"#, "x".repeat(2 * 1024 * 1024));
    let deep = format!("{}1{}", r#"{"a":"#.repeat(5_000), "}".repeat(5_000));
    for (body, wanted) in [(large, 413), (middle, 413), (deep, 400)] {
        let reply = practice.cluster.send("PATCH", NGINX, &merge, body).await;
        assert_eq!(reply.status, wanted, "{}", reply.text);
        assert_eq!(reply.json()["kind"], "Status");
    }
}

#[tokio::test]
async fn a_client_that_takes_no_json_is_told_so() {
    let practice = practice().await;
    for (accept, wanted) in [
        ("application/vnd.kubernetes.protobuf", 406),
        ("application/vnd.kubernetes.protobuf,application/json", 200),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io", 406),
        ("*/*", 200),
    ] {
        let reply = practice.cluster.send("GET", NGINX, &[("accept", accept)], "").await;
        assert_eq!(reply.status, wanted, "{accept}");
    }
}

#[tokio::test]
async fn one_can_ask_what_one_may_do() {
    let practice = practice().await;
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    for (namespace, wanted) in [("default", true), ("kube-system", false)] {
        let attributes = json!({"namespace": namespace, "verb": "patch", "group": "apps", "resource": "deployments"});
        let review =
            json!({"kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}});
        let reply = practice.cluster.send_json("POST", path, &review).await;
        assert_eq!((reply.status, &reply.json()["status"]["allowed"]), (201, &json!(wanted)));
    }
}
