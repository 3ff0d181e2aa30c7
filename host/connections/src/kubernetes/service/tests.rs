//! A cluster's connection against servers that misbehave, byte by byte.

use super::*;
use crate::far_side::{Act, FarSide, answer};
use effects::Redactor;
use serde_json::json;
use std::time::Duration;

const TOKEN: &str = "CANARY-cluster-token-0123456789abcdefghij";

/// Short times, so that a silent server does not hold the tests up.
const PATIENCE: Patience = Patience {
    connect: Duration::from_millis(300),
    first_byte: Duration::from_millis(300),
    between: Duration::from_millis(300),
};

async fn to(far: &FarSide, extra: Value) -> KubernetesService {
    let mut settings = json!({
        "server": format!("http://127.0.0.1:{}", far.port), "allowCleartext": true,
        "token": {"value": TOKEN},
    });
    settings.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    KubernetesService::with_patience(&settings, Path::new(""), PATIENCE).await.unwrap()
}

async fn get(service: &KubernetesService) -> Result<Answer, SendError> {
    let request = http::Request::get("/api/v1/pods").body(Vec::new()).unwrap();
    service.send(request, 1 << 20).await
}

#[tokio::test]
async fn f12_a_redirect_is_not_followed() {
    let other = FarSide::start(vec![answer(200, &[], b"{}")]).await;
    let location = format!("http://127.0.0.1:{}/", other.port);
    let far = FarSide::start(vec![answer(307, &[("location", &location)], b"")]).await;

    let redirected = get(&to(&far, json!({})).await).await.unwrap();

    assert_eq!(redirected.status, 307);
    assert_eq!(far.heads().len(), 1);
    assert!(far.heads()[0].to_lowercase().contains(&format!("bearer {TOKEN}").to_lowercase()));
    assert!(other.heads().is_empty());
}

#[tokio::test]
async fn e11_f08_an_answer_without_bounds_is_refused_and_its_socket_closed() {
    let head = |text: &str| Act::Send(format!("HTTP/1.1 200 OK\r\n{text}\r\n").into_bytes());
    let chunk = || format!("1000\r\n{}\r\n", " ".repeat(4096)).into_bytes();
    let cases = [
        (
            vec![head("transfer-encoding: chunked\r\n"), Act::SendForEver(chunk(), Duration::ZERO)],
            "limit.response-bytes",
        ),
        (
            vec![head("transfer-encoding: chunked\r\n"), Act::Send(chunk()), Act::Hang],
            "connection.stalled",
        ),
        (vec![Act::Hang], "connection.stalled"),
        (vec![head(&format!("x: {}\r\n", "y".repeat(1 << 20)))], "limit.response-headers"),
    ];
    for (script, code) in cases {
        let far = FarSide::start(script).await;
        let service = to(&far, json!({})).await;
        let error = get(&service).await.unwrap_err();
        assert_eq!(error.code, code, "{}", error.message);
        far.sees_closed(1).await;
    }
}

#[tokio::test]
async fn f08_a_refusal_without_end_is_bounded_where_a_stream_was_asked_for() {
    let head = Act::Send(b"HTTP/1.1 403 No\r\ntransfer-encoding: chunked\r\n\r\n".to_vec());
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(4096)).into_bytes();
    let far = FarSide::start(vec![head, Act::SendForEver(chunk, Duration::ZERO)]).await;
    let service = to(&far, json!({})).await;
    let request = http::Request::get("/api/v1/pods?watch=1").body(Vec::new()).unwrap();

    let error = service.open(request).await.err().expect("no stream");

    assert_eq!(error.code, "limit.response-bytes");
    far.sees_closed(1).await;
}

#[tokio::test]
async fn e09_a_strict_cluster_withholds_an_echo() {
    let body = format!("{{\"kind\":\"Status\",\"message\":\"you sent {TOKEN}\"}}");
    let far = FarSide::start(vec![answer(403, &[], body.as_bytes())]).await;

    let lax = get(&to(&far, json!({})).await).await;
    let strict = get(&to(&far, json!({"strict": true})).await).await;

    assert_eq!(lax.expect("an answer").status, 403);
    assert_eq!(strict.expect_err("an echo").code, "connection.echoed-secret");
}

#[tokio::test]
async fn e13_a_server_at_an_address_of_metadata_is_never_asked() {
    for server in ["http://169.254.169.254", "http://[fd00:ec2::254]:6443", "http://2852039166"] {
        let settings = json!({"server": server, "allowCleartext": true, "token": {"value": TOKEN}});
        let service = KubernetesService::with_patience(&settings, Path::new(""), PATIENCE).await;
        let error = get(&service.unwrap()).await.unwrap_err();
        assert_eq!((error.code, error.sent), ("connection.address-denied", false), "{server}");
    }
}

fn kubeconfig(user: &Value, server: &str, more: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server, "proxy-url": more}}],
        "users": [{"name": "u", "user": user}],
    })
    .to_string()
}

#[tokio::test]
async fn f13_every_credential_is_a_needle_before_it_is_sent() {
    let far = FarSide::start(vec![answer(200, &[], b"{}")]).await;
    let folder = tempfile::tempdir().unwrap();
    let server = format!("http://127.0.0.1:{}", far.port);
    std::fs::write(folder.path().join("token"), "CANARY-from-a-file\n").unwrap();
    let exec = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh",
        "interactiveMode": "IfAvailable",
        "args": ["-c", "echo CANARY-said >&2; echo '{\"status\":{\"token\":\"CANARY-minted\"}}'"]}});
    let provider =
        json!({"auth-provider": {"name": "oidc", "config": {"id-token": "CANARY-provided"}}});
    let cases = [
        (json!({"token": "CANARY-written"}), "Bearer CANARY-written"),
        (json!({"tokenFile": folder.path().join("token")}), "Bearer CANARY-from-a-file"),
        (json!({"username": "ci", "password": "CANARY"}), "Basic Y2k6Q0FOQVJZ"),
        (exec, "Bearer CANARY-minted"),
        (provider, "Bearer CANARY-provided"),
    ];
    for (user, expected) in cases {
        std::fs::write(folder.path().join("config"), kubeconfig(&user, &server, "")).unwrap();
        let settings = json!({"kubeconfig": "config", "allowExec": true, "allowCleartext": true});
        let service = KubernetesService::with_patience(&settings, folder.path(), PATIENCE).await;
        let service = service.unwrap();

        get(&service).await.unwrap();

        let sent = far.heads().pop().unwrap();
        assert!(
            sent.contains(&format!("authorization: {expected}")),
            "{expected} is not in {sent}"
        );
        let clean = Redactor::new(vec![Arc::clone(&service.needles)]).text(&sent).into_owned();
        assert!(!clean.contains("CANARY") && !clean.contains("Q0FOQVJZ"), "{clean}");
    }
}

#[tokio::test]
async fn a_provider_without_a_token_is_refused_with_what_took_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let provider = json!({"auth-provider": {"name": "gcp", "config": {"cmd-path": "evil"}}});
    std::fs::write(folder.path().join("config"), kubeconfig(&provider, "https://x", "")).unwrap();
    let settings = json!({"kubeconfig": "config", "allowExec": true});
    let error = KubernetesService::new(&settings, folder.path()).await.err().unwrap();
    assert!(error.contains("`exec`") && error.contains("1.26"), "{error}");
}

#[tokio::test]
async fn f13_a_program_that_fails_says_nothing_of_what_it_printed() {
    let folder = tempfile::tempdir().unwrap();
    let script = "echo CANARY0123456789abcdef; echo log in again >&2; exit 1";
    let exec = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh",
        "args": ["-c", script]}});
    std::fs::write(folder.path().join("config"), kubeconfig(&exec, "https://x", "")).unwrap();
    let settings = json!({"kubeconfig": "config", "allowExec": true});

    let error = KubernetesService::new(&settings, folder.path()).await.err().unwrap();

    assert!(error.contains("log in again") && !error.contains("CANARY"), "{error}");
}

#[tokio::test]
async fn e17_a_proxy_of_the_kubeconfig_is_refused_and_that_of_the_environment_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let token = json!({"token": "x"});
    let proxied = kubeconfig(&token, "https://x", "http://proxy.example.com");
    std::fs::write(folder.path().join("config"), proxied).unwrap();
    let settings = json!({"kubeconfig": "config"});
    let error = KubernetesService::new(&settings, folder.path()).await.err().unwrap();
    assert!(error.contains("proxy-url"), "{error}");

    std::fs::write(folder.path().join("config"), kubeconfig(&token, "https://x", "")).unwrap();
    assert!(KubernetesService::new(&settings, folder.path()).await.is_ok());
}
