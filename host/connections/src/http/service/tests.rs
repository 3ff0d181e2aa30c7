//! An HTTP connection against servers that misbehave, byte by byte.

use super::*;
use crate::address;
use crate::far_side::{Act, FarSide, answer, read_head};
use crate::http::request::method;
use crate::profile;
use effects::{Reason, Redactor};
use flate2::Compression;
use flate2::write::GzEncoder;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;
use std::io::Write as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

const TOKEN: &str = "CANARY-token-0123456789abcdef0123456789";

/// Short times, so that a silent server does not hold the tests up.
const PATIENCE: Patience = Patience {
    connect: Duration::from_millis(300),
    first_byte: Duration::from_millis(300),
    between: Duration::from_millis(300),
};

fn service(settings: Value) -> Result<HttpService, String> {
    let http = Arc::new(profile::all(&[]).unwrap()["http"].clone());
    HttpService::with_patience(&http, &settings, Path::new(""), PATIENCE)
}

/// A connection to `far`, with a credential, in clear.
fn to(far: &FarSide, extra: Value) -> HttpService {
    let mut settings = json!({
        "baseUrl": format!("http://127.0.0.1:{}/base", far.port), "allowCleartext": true,
        "token": {"value": TOKEN},
    });
    settings.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    service(settings).unwrap()
}

async fn get(service: &HttpService, path: &str, bytes_max: u64) -> Result<Answer, SendError> {
    let url = service.url(Target::parse(path).unwrap()).unwrap();
    service.send(method("GET").unwrap(), url, HeaderMap::new(), None, bytes_max).await
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn head(text: &str) -> Act {
    Act::Send(format!("HTTP/1.1 200 OK\r\n{text}\r\n").into_bytes())
}

#[tokio::test]
async fn e02_what_was_matched_stands_in_the_request_line() {
    let far = FarSide::start(vec![answer(200, &[], b"{}")]).await;
    let service = to(&far, json!({}));
    let paths = [
        "/",
        "/api/v2/incidents?page[size]=100&page%5Boffset%5D=0",
        "/a/%20b/%C3%A4?q=%2F..%2F+x&r=a/../b",
        "/a:b@c/d,e=f!g(h)*i",
        "/%41%7e?@&=",
    ];
    for path in paths {
        get(&service, path, 100).await.unwrap();
        let sent = far.heads().pop().expect("a request");
        assert_eq!(sent.lines().next(), Some(format!("GET /base{path} HTTP/1.1").as_str()));
    }
    let sockets: std::collections::BTreeSet<String> = far.heads().into_iter().collect();
    assert_eq!(sockets.len(), paths.len());
}

#[tokio::test]
async fn e04_a_redirect_is_handed_over_and_the_credential_goes_nowhere_else() {
    let other = FarSide::start(vec![answer(200, &[], b"reached")]).await;
    let elsewhere = format!("http://127.0.0.1:{}/stolen", other.port);
    for location in [elsewhere.as_str(), "file:///etc/passwd", "/base/other", "http://[::1]/"] {
        for status in [301, 302, 303, 307, 308] {
            let headers = [("location", location)];
            let far = FarSide::start(vec![answer(status, &headers, b"")]).await;
            let redirected = get(&to(&far, json!({})), "/x", 100).await.unwrap();
            assert_eq!(redirected.status, status);
            assert_eq!(
                redirected.headers.iter().find(|(n, _)| n == "location").unwrap().1,
                location
            );
            assert_eq!(far.heads().len(), 1, "{location}");
        }
    }
    assert!(other.heads().is_empty(), "{:?}", other.heads());
}

#[tokio::test]
async fn e07_framing_and_credentials_are_the_hosts() {
    let far = FarSide::start(vec![answer(200, &[], b"{}")]).await;
    let service = to(&far, json!({}));
    let url = service.url(Target::parse("/x").unwrap()).unwrap();
    let body = Some(b"GET /smuggled HTTP/1.1\r\n\r\n".to_vec());

    service.send(method("POST").unwrap(), url, HeaderMap::new(), body, 100).await.unwrap();

    let sent = far.heads().pop().unwrap().to_ascii_lowercase();
    assert!(sent.contains("\r\ncontent-length: 26\r\n"), "{sent}");
    assert!(!sent.contains("transfer-encoding"), "{sent}");
    let token = format!("\r\nauthorization: bearer {}\r\n", TOKEN.to_ascii_lowercase());
    assert_eq!(sent.matches(&token).count(), 1, "{sent}");
    assert_eq!(far.heads().len(), 1, "the body is no second request");
}

#[tokio::test]
async fn e09_an_echo_in_any_packing_is_found_and_a_strict_connection_withholds_it() {
    let echo = format!("{{\"you sent\": \"Bearer {TOKEN}\"}}");
    let escaped: String = TOKEN.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let pieces = |body: &[u8]| -> Vec<Act> {
        let mut acts = vec![head("transfer-encoding: chunked\r\n")];
        for byte in body {
            acts.push(Act::Send(format!("1\r\n{}\r\n", char::from(*byte)).into_bytes()));
        }
        acts.push(Act::Send(b"0\r\n\r\n".to_vec()));
        acts
    };
    let cases: [(&str, Vec<Act>); 5] = [
        ("plain", vec![answer(200, &[], echo.as_bytes())]),
        ("gzip", vec![answer(200, &[("content-encoding", "gzip")], &gzip(echo.as_bytes()))]),
        ("one byte in a chunk", pieces(echo.as_bytes())),
        ("JSON escapes", vec![answer(200, &[], format!("{{\"a\":\"{escaped}\"}}").as_bytes())]),
        ("a header", vec![answer(200, &[("x-debug", TOKEN)], b"{}")]),
    ];
    for (name, script) in cases {
        let far = FarSide::start(script).await;
        let lax = to(&far, json!({}));
        let seen = get(&lax, "/x", 1 << 20).await.unwrap();
        let redactor = Redactor::new(vec![Arc::clone(&lax.needles)]);
        let body = redactor.bytes(seen.body).0;
        let body = String::from_utf8_lossy(&body);
        assert!(!body.contains("CANARY") && !body.contains("\\u0043"), "{name}: {body}");
        let refused = get(&to(&far, json!({"strict": true})), "/x", 1 << 20).await.unwrap_err();
        assert_eq!(refused.code, "connection.echoed-secret", "{name}");
        assert!(!refused.message.contains(TOKEN), "{name}");
    }
}

#[tokio::test]
async fn e11_an_answer_without_bounds_is_refused_and_its_socket_closed() {
    let bomb = gzip(&vec![0; 32 << 20]);
    let many: String = (0..1_000).map(|n| format!("x-{n}: y\r\n")).collect();
    let long = format!("x-long: {}\r\n", "y".repeat(100 << 10));
    let huge = format!("x-huge: {}\r\n", "y".repeat(1 << 20));
    let endless = || {
        Act::SendForEver(format!("1000\r\n{}\r\n", "z".repeat(4096)).into_bytes(), Duration::ZERO)
    };
    let chunked = || head("transfer-encoding: chunked\r\n");
    let drip = |pause: u64| Act::SendForEver(b"1\r\nz\r\n".to_vec(), Duration::from_millis(pause));
    let cases: Vec<(&str, Vec<Act>, &str)> = vec![
        (
            "10 GiB",
            vec![
                head("content-length: 10737418240\r\n"),
                Act::SendForEver(vec![b'z'; 4096], Duration::ZERO),
            ],
            "limit.response-bytes",
        ),
        ("endless", vec![chunked(), endless()], "limit.response-bytes"),
        (
            "a bomb",
            vec![answer(200, &[("content-encoding", "gzip")], &bomb)],
            "limit.response-ratio",
        ),
        (
            "another packing",
            vec![answer(200, &[("content-encoding", "br")], b"x")],
            "connection.encoding",
        ),
        (
            "many headers",
            vec![head(&format!("content-length: 0\r\n{many}"))],
            "limit.response-headers",
        ),
        (
            "a long header",
            vec![head(&format!("content-length: 0\r\n{long}"))],
            "limit.response-headers",
        ),
        (
            "a huge header",
            vec![head(&format!("content-length: 0\r\n{huge}"))],
            "limit.response-headers",
        ),
        ("a slow drip", vec![chunked(), drip(1_000)], "connection.stalled"),
        (
            "silence in the middle",
            vec![chunked(), Act::Send(b"1\r\nz\r\n".to_vec()), Act::Hang],
            "connection.stalled",
        ),
        (
            "half a head",
            vec![Act::Send(b"HTTP/1.1 200 OK\r\nx: ".to_vec()), Act::Hang],
            "connection.stalled",
        ),
        ("no answer", vec![Act::Hang], "connection.stalled"),
    ];
    for (name, script, code) in cases {
        let far = FarSide::start(script).await;
        let service = to(&far, json!({}));
        let began = Instant::now();
        let error = get(&service, "/x", 4 << 20).await.expect_err(name);
        assert_eq!(error.code, code, "{name}: {}", error.message);
        assert!(matches!(error.reason, Reason::Exhausted | Reason::Timeout | Reason::Remote));
        assert!(began.elapsed() < Duration::from_secs(10), "{name}: {:?}", began.elapsed());
        // Where the answer came in full, nothing is left on the socket.
        let in_full = ["a bomb", "another packing", "a long header"].contains(&name);
        if !in_full {
            far.sees_closed(1).await;
        }
    }
}

#[tokio::test]
async fn e11_a_server_that_accepts_and_stalls_in_tls_is_given_up() {
    let far = FarSide::start(vec![]).await;
    let url = format!("https://127.0.0.1:{}", far.port);
    let service = service(json!({"baseUrl": url, "token": {"value": TOKEN}})).unwrap();

    let error = get(&service, "/x", 100).await.unwrap_err();

    assert_eq!((error.code, error.reason), ("connection.timeout", Reason::Timeout));
    assert!(!error.sent, "nothing was sent before the handshake was through");
    assert!(far.heads().is_empty());
}

#[tokio::test]
async fn e13_a_name_that_leads_to_a_forbidden_address_is_not_followed() {
    let far = FarSide::start(vec![answer(200, &[], b"{}")]).await;
    let cases: [(&[&str], &[&str], Option<&str>); 4] = [
        (&["api.test"], &["169.254.169.254", "127.0.0.1"], None),
        (
            &["api.test"],
            &["169.254.169.254", "::ffff:169.254.169.254"],
            Some("connection.address-denied"),
        ),
        (&[], &["127.0.0.1"], Some("connection.address-denied")),
        (&["api.test"], &["127.0.0.1"], None),
    ];
    for (written, found, expected) in cases {
        let before = far.heads().len();
        let mut service = to(&far, json!({}));
        let guard = address::tests::guard_that_finds(written, found);
        let common = Common { allow_cleartext: true, ..Common::default() };
        service.client = client(&common, Path::new(""), None, &guard, PATIENCE).unwrap();
        service.guard = guard;
        service.base = Url::parse(&format!("http://api.test:{}/", far.port)).unwrap();

        let answered = get(&service, "/x", 100).await;

        let code = answered.as_ref().err().map(|error| error.code);
        assert_eq!(code, expected, "{found:?}: {answered:?}");
        let sent = far.heads().split_off(before);
        assert_eq!(sent.len(), usize::from(expected.is_none()), "{found:?}");
        if let Some(sent) = sent.first() {
            assert!(sent.contains(&format!("host: api.test:{}", far.port)), "{sent}");
        }
        if let Err(error) = answered {
            assert_eq!((error.reason, error.sent), (Reason::Denied, false));
        }
    }
}

#[tokio::test]
async fn e13_metadata_written_as_an_address_is_refused_before_anything_is_sent() {
    for host in [
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "0.0.0.0",
        "2852039166",
        "0xa9.254.169.254",
    ] {
        let url = format!("http://{host}/latest");
        let service = service(json!({"baseUrl": url, "allowCleartext": true})).unwrap();
        let error = get(&service, "/meta-data", 100).await.unwrap_err();
        assert_eq!((error.code, error.sent), ("connection.address-denied", false), "{host}");
    }
}

#[tokio::test]
async fn e14_only_an_address_that_the_operator_wrote_may_be_private() {
    let profile = "type: x\nsummary: x\nbaseUrl: http://127.0.0.1:1\n";
    for (built_in, expected) in [(true, "connection.address-denied"), (false, "connection.refused")]
    {
        let mut profile = profile::all(&[profile.to_owned()]).unwrap()["x"].clone();
        profile.built_in = built_in;
        let settings = json!({"allowCleartext": true});
        let service =
            HttpService::with_patience(&Arc::new(profile), &settings, Path::new(""), PATIENCE);
        let error = get(&service.unwrap(), "/x", 100).await.unwrap_err();
        assert_eq!(error.code, expected, "{}", error.message);
    }
}

#[test]
fn e15_credentials_do_not_travel_in_clear_unless_the_operator_says_so() {
    for (url, extra, expected) in [
        ("http://x.example.com", json!({}), "allowCleartext"),
        ("ftp://x.example.com", json!({}), "neither https nor http"),
        ("https://user:CANARY@x.example.com", json!({}), "nothing else"),
        ("https://x.example.com/?key=CANARY", json!({}), "nothing else"),
    ] {
        let mut settings = json!({"baseUrl": url, "token": {"value": TOKEN}});
        settings.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let error = service(settings).err().expect(url);
        assert!(error.contains(expected) && !error.contains("CANARY"), "{url}: {error}");
    }
}

#[tokio::test]
async fn e17_a_proxy_is_used_where_the_operator_sets_one_and_its_password_is_a_needle() {
    let proxy = FarSide::start(vec![answer(200, &[], b"by the proxy")]).await;
    let settings = |url: Value| json!({"baseUrl": "http://x.example.com", "allowCleartext": true, "proxy": url});
    let url = format!("http://ci:CANARYpass@127.0.0.1:{}", proxy.port);
    let proxied = service(settings(json!(url))).unwrap();
    assert!(service(settings(json!({"env": "BOWLINE_TEST_NOT_SET"}))).is_err());
    let wrong = service(settings(json!("http://ci:CANARYpass@:x"))).err().unwrap();
    assert!(!wrong.contains("CANARY"), "{wrong}");

    let answered = get(&proxied, "/x", 100).await.unwrap();

    assert_eq!(answered.body, b"by the proxy");
    let sent = proxy.heads().pop().unwrap();
    assert!(sent.starts_with("GET http://x.example.com/x HTTP/1.1"), "{sent}");
    let redactor = Redactor::new(vec![Arc::clone(&proxied.needles)]);
    assert!(!redactor.text(&sent).contains("Y2k6"), "the header for the proxy: {sent}");
    assert_eq!(redactor.text("it is CANARYpass"), "it is ***");
}

/// A certificate for `name` by `issuer`, and its key, both as PEM.
fn certificate(name: &str, issuer: &Issuer<'static, KeyPair>) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let signed = parameters.signed_by(&key, issuer).unwrap();
    (signed.pem(), key.serialize_pem())
}

/// What a server saw: for each TLS session the client's certificate and the heads of requests.
type Sessions = Arc<Mutex<Vec<(Vec<u8>, Vec<String>)>>>;

/// A server that asks its clients for certificates.
async fn vouching(acceptor: TlsAcceptor, sessions: Sessions, tasks: &mut JoinSet<()>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tasks.spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, sessions) = (acceptor.clone(), Arc::clone(&sessions));
            open.spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let client = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
                let number = {
                    let mut all = sessions.lock().unwrap();
                    all.push((client, Vec::new()));
                    all.len() - 1
                };
                while let Some(head) = read_head(&mut stream).await {
                    sessions.lock().unwrap()[number].1.push(head);
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                    let _ = stream.flush().await;
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn e18_no_request_goes_over_the_tls_session_of_another_connection() {
    install_crypto_provider();
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = parameters.self_signed(&key).unwrap();
    let issuer = Issuer::new(parameters, key);
    let (server_pem, server_key) = certificate("127.0.0.1", &issuer);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let verifier = rustls::server::WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
    let config = rustls::ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            certificates(&server_pem),
            rustls_pki_types::PrivateKeyDer::from_pem_slice(server_key.as_bytes()).unwrap(),
        )
        .unwrap();
    let (sessions, mut tasks) = (Sessions::default(), JoinSet::new());
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let port = vouching(acceptor, Arc::clone(&sessions), &mut tasks).await;
    let tenants = ["one", "two"].map(|name| {
        let (pem, key) = certificate(name, &issuer);
        let settings = json!({
            "baseUrl": format!("https://127.0.0.1:{port}"), "certificateAuthority": authority.pem(),
            "clientCertificate": pem, "clientKey": {"value": key},
            "token": {"value": format!("CANARY-of-{name}")},
        });
        (name, certificates(&pem)[0].to_vec(), service(settings).unwrap())
    });

    for _ in 0..5 {
        for (name, _, service) in &tenants {
            get(service, &format!("/{name}"), 100).await.unwrap();
        }
    }

    let sessions = sessions.lock().unwrap();
    assert_eq!(sessions.len(), 2, "each connection keeps its own socket");
    for (name, certificate, _) in &tenants {
        let own: Vec<_> = sessions.iter().filter(|(client, _)| client == certificate).collect();
        assert_eq!((own.len(), own[0].1.len()), (1, 5));
        for head in &own[0].1 {
            assert!(head.contains(&format!("CANARY-of-{name}\r\n")), "{head}");
            assert!(head.starts_with(&format!("GET /{name} ")), "{head}");
        }
    }
}

#[test]
fn a_plain_header_is_sent_and_is_no_secret() {
    let headers = json!({"X-Scope-OrgID": "json", "X-Kept": {"value": "CANARY-kept"}});
    let made = service(json!({"baseUrl": "https://x.example.com", "headers": headers})).unwrap();
    let redactor = Redactor::new(vec![Arc::clone(&made.needles)]);

    assert_eq!(made.injected()["x-scope-orgid"], "json");
    assert!(!made.injected()["x-scope-orgid"].is_sensitive());
    assert!(made.injected()["x-kept"].is_sensitive());
    assert_eq!(redactor.text("application/json CANARY-kept"), "application/json ***");
    let refused = [
        (json!({"Authorization": "Bearer x"}), "carries a credential"),
        (json!({"X_Api_Key": "x"}), "carries a credential"),
        (json!({"X-Scope-OrgID": "a\nb"}), "can't be sent"),
        (json!({"bad name": "x"}), "can't be sent"),
        (json!({"X-Scope-OrgID": 7}), "a text if it is no secret"),
    ];
    for (headers, expected) in refused {
        let settings = json!({"baseUrl": "https://x.example.com", "headers": headers});
        let error = service(settings).err().expect("a refusal");
        assert!(error.contains(expected), "{headers}: {error}");
    }
}

#[test]
fn what_is_sent_in_a_header_is_a_needle_in_all_its_parts() {
    let headers = json!({"Authorization": {"value": "Basic Y2k6Q0FOQVJZLXBhc3M="}});
    let settings = json!({"baseUrl": "https://x.example.com", "headers": headers});
    let redactor = Redactor::new(vec![Arc::clone(&service(settings).unwrap().needles)]);
    for echoed in
        ["Basic Y2k6Q0FOQVJZLXBhc3M=", "Y2k6Q0FOQVJZLXBhc3M=", "CANARY-pass", "ci:CANARY-pass"]
    {
        assert!(redactor.finds(echoed), "{echoed}");
    }
}
