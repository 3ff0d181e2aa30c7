//! E: what a plugin can try with an HTTP connection, and a server with the plugin.

use crate::run::Run;
use crate::server::{Authority, Certificate, Received, Reply, Server};
use crate::stage::Stage;
use crate::table::Case;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use effects::Layer;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tests::canary::CANARY;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("E1", "names a host where a path belongs", &[Layer::Shape], hosts),
        Case::new("E2", "hides another path behind a path", &[Layer::Shape], paths),
        Case::not_here(
            "E3",
            "writes an authority that looks like the granted one",
            "no interface has a field for an authority, and the door wasi:http is not offered",
            authorities,
        ),
        Case::new("E4", "is sent elsewhere by the server", &[Layer::Redirect], redirects),
        Case::new("E5", "sends headers that belong to the host", &[Layer::Shape], own_headers),
        Case::new("E6", "sends headers that are none, or far too many", &[Layer::Shape], headers),
        Case::new("E7", "smuggles a second request in a body", &[], smuggling),
        Case::new("E8", "sends methods that nobody granted", &[Layer::Shape], methods),
        Case::new("E9", "is told the credential by the server", &[Layer::Redact], echoes),
        Case::new("E10", "is handed sessions and tokens in headers", &[], sessions),
        Case::new("E11", "gets answers without end", &[Layer::Bound, Layer::Deadline], without_end),
        Case::new("E12", "reads byte by byte, or not at all", &[], slow_reader),
        Case::new("E13", "is led to an address inside", &[Layer::Address], addresses),
        Case::new("E14", "uses an address inside that the operator wrote", &[], inside),
        Case::new("E15", "has its credential sent in clear", &[], cleartext),
        Case::new("E16", "talks to a server that nobody vouches for", &[], certificates),
        Case::not_here(
            "E17",
            "is led through a proxy of the environment",
            "a process can't change its own environment safely; `e17` in tests/reaching_a_cluster.rs \
             starts the program with one",
            direct,
        ),
        Case::new("E18", "shares a server with another connection", &[], neighbours),
        Case::new("E19", "restricts a handle in hostile ways", &[], restrictions),
        Case::new("E20", "has its credentials refused for ever", &[Layer::Breaker], refusals),
        Case::new("E21", "sends far too much at once", &[], at_once),
        Case::new("E22", "asks for more in the query than was granted", &[Layer::Scope], queries),
        Case::new("E23", "finds out what exists by what errors say", &[], oracles),
    ]
}

fn fine(_: &Received) -> Reply {
    (200, "application/json", "{}".to_owned()).into()
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).expect("pack it");
    encoder.finish().expect("pack it")
}

/// As RFC 3986 has it: letters, digits and `-._~` stay.
fn percent(plain: &str) -> String {
    let stays = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one = |byte| if stays(byte) { char::from(byte).into() } else { format!("%{byte:02X}") };
    plain.bytes().map(one).collect()
}

/// A server, and a connection to it of which every path of one or two segments is granted.
fn api(
    stage: &mut Stage,
    handler: impl Fn(&Received) -> Reply + Send + Sync + 'static,
) -> Arc<Server> {
    let server = stage.serve_with(handler);
    stage.http("api", &server.url, anything());
    server
}

fn anything() -> Value {
    let query = ["x", "y[z]", "q"];
    let of = |method: &str, path: &str| json!({"method": method, "path": path, "query": query});
    json!([
        of("GET", "/{a}"),
        of("GET", "/{a}/{b}"),
        of("GET", "/{a}/{b}/{c}"),
        of("POST", "/{a}"),
        of("HEAD", "/{a}"),
    ])
}

/// Opens the slot `api` and does these orders with it; gives what each answered.
#[track_caller]
fn with_api(stage: &mut Stage, orders: impl IntoIterator<Item = Value>) -> Vec<Value> {
    run_with_api(stage, orders).0
}

/// The same, and the run.
#[track_caller]
fn run_with_api(stage: &mut Stage, orders: impl IntoIterator<Item = Value>) -> (Vec<Value>, Run) {
    let open = json!({"open": {"slot": "api", "as": "c"}});
    let orders: Vec<Value> = std::iter::once(open).chain(orders).collect();
    let run = stage.ask(Value::from(orders));
    let results = run.results();
    assert_eq!(results[0], json!({"ok": true}));
    (results[1..].to_vec(), run)
}

fn get(path: &str) -> Value {
    json!({"send": {"handle": "c", "path": path}})
}

fn code(result: &Value) -> &str {
    result["error"]["code"].as_str().unwrap_or("none")
}

/// All results are the error `expected`.
#[track_caller]
fn all_are(results: &[Value], expected: &str, tried: &[impl std::fmt::Debug]) {
    assert_eq!(results.len(), tried.len());
    for (result, tried) in results.iter().zip(tried) {
        assert_eq!(code(result), expected, "{tried:?}: {result}");
    }
}

fn hosts(stage: &mut Stage) -> String {
    let server = api(stage, fine);
    let paths = [
        "https://evil/",
        "//evil/x",
        "/\\evil",
        "\\\\evil",
        "http:/x",
        "",
        "x",
        "/x#y",
        "/x y",
        "/x\r\nHost: evil",
        "/x\ty",
        "@evil/x",
        ":1@evil/x",
        ".evil/x",
    ];
    let (results, run) = run_with_api(stage, paths.map(get));
    all_are(&results, "http.invalid-path", &paths);
    assert_eq!(results[0]["error"]["reason"], "invalid");
    assert_eq!(run.refusals(), ["http.invalid-path"; 14], "each is on record");
    assert!(server.received().is_empty(), "{:?}", server.received());
    format!("{} paths refused, nothing sent", paths.len())
}

fn paths(stage: &mut Stage) -> String {
    let server = api(stage, fine);
    let refused = [
        "/api/../admin",
        "/api/%2e%2e/admin",
        "/api/%252e",
        "/api//x",
        "/api/;x=1",
        "/api/x//",
        "//",
        "/api/./x",
        "/api/%2Fx",
        "/api/%5cx",
        "/api/\u{ff0f}x",
        "/api/%ef%bc%8fx",
        "/api/%c0%ae%c0%ae/x",
        "/api/%zz",
        "/api/%00",
        "/api/%0d%0ax",
    ];
    let results = with_api(stage, refused.map(get));
    all_are(&results, "http.invalid-path", &refused);
    assert!(server.received().is_empty(), "{:?}", server.received());
    let slash = ["/api/x/"];
    all_are(&with_api(stage, slash.map(get)), "http.denied", &slash);
    // What passes arrives as it was matched; another spelling is another path.
    let taken = ["/api/v1.?x=%2F..%2F&y[z]=1&q=a/../b", "/API/%41~:@!$&'()*+,="];
    let taken = [taken[0], "/API/%41~:@!$&()*+,="];
    let results = with_api(stage, taken.map(get));
    assert!(results.iter().all(|result| result["ok"]["status"] == 200), "{results:?}");
    let sent: Vec<String> = server
        .received()
        .iter()
        .map(
            |r| if r.query.is_empty() { r.path.clone() } else { format!("{}?{}", r.path, r.query) },
        )
        .collect();
    assert_eq!(sent, taken);
    format!("{} paths refused, {} sent to the letter", refused.len(), taken.len())
}

fn authorities(stage: &mut Stage) -> String {
    let other = stage.serve_with(fine);
    let server = api(stage, fine);
    let place = other.url.trim_start_matches("https://").to_owned();
    let tried = [format!("/@{place}"), format!("/x@{place}"), format!("/https:@{place}")];
    let results = with_api(stage, tried.iter().map(|path| get(path)));
    assert!(results.iter().all(|result| result["ok"]["status"] == 200), "{results:?}");
    assert!(other.received().is_empty());
    let own = server.url.trim_start_matches("https://");
    assert!(server.received().iter().all(|received| received.headers["host"] == own));
    "what looks like one is a path on the granted host".to_owned()
}

fn redirects(stage: &mut Stage) -> String {
    let other = stage.serve_with(fine);
    let target = format!("{}/stolen", other.url);
    let server = api(stage, move |received| {
        let location = match received.path.as_str() {
            "/other" => target.clone(),
            "/down" => target.replace("https:", "http:"),
            "/file" => "file:///etc/passwd".to_owned(),
            _ => "/elsewhere".to_owned(),
        };
        Reply { status: 302, headers: vec![("location", location)], body: vec![] }
    });
    let results = with_api(stage, ["/other", "/down", "/file", "/same"].map(get));
    for result in &results {
        assert_eq!(result["ok"]["status"], 302, "{result}");
        assert_eq!(result["ok"]["headers"][0][0], "location", "{result}");
    }
    assert!(other.received().is_empty(), "the credential went elsewhere");
    assert_eq!(server.received().len(), 4, "each was sent once");
    "four redirects handed over, none followed".to_owned()
}

fn own_headers(stage: &mut Stage) -> String {
    let server = api(stage, fine);
    let names = [
        "authorization",
        "Authorization",
        "COOKIE",
        "proxy-authorization",
        "host",
        "X-Forwarded-For",
        "x-forwarded-host",
        "connection",
        "transfer-encoding",
        "te",
        "upgrade",
        "content-length",
        "expect",
        "authorization ",
        "Impersonate-User",
        "X-HTTP-Method-Override",
        "x_http_method_override",
        "x_forwarded_for",
        "impersonate_user",
        "X-Client-IP",
    ];
    let send = |name: &str| json!({"send": {"handle": "c", "path": "/x", "headers": [["accept", "a"], [name, "evil"]]}});
    let results = with_api(stage, names.map(send));
    all_are(&results, "http.invalid-header", &names);
    assert!(results[0]["error"]["message"].as_str().is_some_and(|m| m.contains("authorization")));
    assert!(server.received().is_empty());
    with_api(stage, [send("x-mine")]);
    let received = server.received();
    assert_eq!(received[0].headers["authorization"], format!("Bearer {CANARY}"));
    format!("{} headers refused", names.len())
}

fn headers(stage: &mut Stage) -> String {
    let server = api(stage, fine);
    let send = |headers: Value| json!({"send": {"handle": "c", "path": "/x", "headers": headers}});
    let tried = [
        json!([["x", "a\r\ny: z"]]),
        json!([["x", "a\nb"]]),
        json!([["x", "a\tb"]]),
        json!([["x", "\u{e4}"]]),
        json!([["", "x"]]),
        json!([["x y", "z"]]),
        json!([["x:", "z"]]),
        json!([["x", "y".repeat((8 << 10) + 1)]]),
        json!({"repeat": ["x-", "y", 10_000]}),
    ];
    let results = with_api(stage, tried.clone().map(send));
    all_are(&results, "http.invalid-header", &(0..tried.len()).collect::<Vec<_>>());
    assert!(server.received().is_empty());
    format!("{} lists of headers refused", tried.len())
}

fn smuggling(stage: &mut Stage) -> String {
    let server = api(stage, fine);
    let body = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let order = json!({"send": {"handle": "c", "method": "POST", "path": "/x", "body": body}});
    with_api(stage, [order]);
    let received = server.received();
    assert_eq!(received.len(), 1, "{received:?}");
    assert_eq!(received[0].body, body);
    assert_eq!(received[0].headers["content-length"], body.len().to_string());
    "one request, framed by the host".to_owned()
}

fn methods(stage: &mut Stage) -> String {
    let server = api(stage, fine);
    let long = "A".repeat(1024);
    let tried = ["CONNECT", "TRACE", "get", "GET /x HTTP/1.1\r\nX: y", "", "GET ", &long];
    let send = |method: &str| json!({"send": {"handle": "c", "method": method, "path": "/x"}});
    let results = with_api(stage, tried.map(send));
    all_are(&results, "http.invalid-method", &tried);
    assert!(server.received().is_empty());
    format!("{} methods refused", tried.len())
}

fn echoes(stage: &mut Stage) -> String {
    let answer = |received: &Received| {
        let sent = received.headers["authorization"].clone();
        let key = sent.trim_start_matches("Bearer ").to_owned();
        let escaped: String = key.bytes().map(|byte| format!("\\u{byte:04X}")).collect();
        let plain = json!({"headers": sent}).to_string();
        let (body, packing) = match received.path.as_str() {
            "/base64" => (STANDARD.encode(format!("you sent {key}")).into_bytes(), None),
            "/gzip" => (gzip(plain.as_bytes()), Some("gzip")),
            "/escaped" => (format!("{{\"a\": \"{escaped}\"}}").into_bytes(), None),
            "/hex" => {
                (key.bytes().map(|b| format!("{b:02x}")).collect::<String>().into_bytes(), None)
            }
            "/percent" => (format!("key={}&x=1", percent(&key)).into_bytes(), None),
            "/brotli" => (b"\x0b\x02\x80hello\x03".to_vec(), Some("br")),
            _ => (plain.into_bytes(), None),
        };
        let mut headers = vec![("content-type", "application/json".to_owned()), ("x-debug", sent)];
        headers.extend(packing.map(|packing| ("content-encoding", packing.to_owned())));
        Reply { status: 500, headers, body }
    };
    let server = api(stage, answer);
    let strict = json!({
        "baseUrl": server.url, "certificateAuthority": {"file": "ca.pem"},
        "token": {"file": "operator.key"}, "strict": true,
    });
    stage.connection("http", "strict", strict, anything());
    let paths = ["/plain", "/base64", "/gzip", "/escaped", "/hex", "/percent"];
    let results = with_api(stage, paths.map(get));
    for (path, result) in paths.iter().zip(&results) {
        let body = result["ok"]["body"].as_str().unwrap_or_default();
        assert!(body.contains("***"), "{path}: {result}");
        assert!(!result.to_string().contains("CANARY"), "{path}: {result}");
    }
    let packed = with_api(stage, [get("/brotli")]);
    assert_eq!(code(&packed[0]), "connection.encoding", "what can't be read can't be searched");
    let orders = json!([
        {"open": {"slot": "strict", "as": "s"}},
        {"send": {"handle": "s", "path": "/plain"}},
        {"send": {"handle": "s", "path": "/gzip"}},
        {"send": {"handle": "s", "path": "/percent"}},
    ]);
    let results = stage.ask(orders).results();
    all_are(&results[1..], "connection.echoed-secret", &["plain", "gzip", "percent"]);
    format!("{} echoes taken out, withheld where the connection is strict", paths.len())
}

fn sessions(stage: &mut Stage) -> String {
    let hidden = [
        "set-cookie",
        "www-authenticate",
        "authorization",
        "x-amz-security-token",
        "proxy-authenticate",
        "authentication-info",
    ];
    api(stage, move |_| {
        let mut headers: Vec<_> =
            hidden.iter().map(|name| (*name, "session-of-the-operator".to_owned())).collect();
        headers.push(("x-ratelimit-reset", "7".to_owned()));
        Reply { status: 401, headers, body: vec![] }
    });
    let results = with_api(stage, [get("/x")]);
    let text = results[0].to_string();
    assert!(!text.contains("session-of-the-operator"), "{text}");
    assert!(text.contains("x-ratelimit-reset"), "{text}");
    format!("{} headers withheld", hidden.len())
}

fn without_end(stage: &mut Stage) -> String {
    stage.limits.attempt_time_max = Duration::from_secs(2);
    let bomb = gzip(&vec![b' '; 16 << 20]);
    let server = api(stage, move |received| {
        let reply =
            |headers: Vec<(&'static str, String)>, body| Reply { status: 200, headers, body };
        match received.path.as_str() {
            "/bomb" => reply(vec![("content-encoding", "gzip".to_owned())], bomb.clone()),
            "/long" => reply(vec![], vec![b' '; 20 << 20]),
            "/header" => reply(vec![("x-long", "y".repeat(100 << 10))], vec![]),
            _ => reply(vec![("x", "y".to_owned()); 300], vec![]),
        }
    });
    let silent = stage.serve_nothing();
    stage.http("silent", &silent.url, anything());
    let results = with_api(stage, ["/bomb", "/long", "/header", "/headers"].map(get));
    let codes: Vec<&str> = results.iter().map(code).collect();
    let headers = "limit.response-headers";
    assert_eq!(codes, ["limit.response-ratio", "limit.response-bytes", headers, headers]);
    assert!(results.iter().all(|result| result["error"]["reason"] == "exhausted"), "{results:?}");
    assert_eq!(server.received().len(), 4);
    let orders = json!([
        {"open": {"slot": "silent", "as": "s"}},
        {"send": {"handle": "s", "path": "/x", "timeout-ms": 200}},
        {"send": {"handle": "s", "path": "/x", "timeout-ms": u64::MAX}},
    ]);
    let run = stage.ask(orders);
    let results = run.results();
    // The second has all the time that the attempt has left.
    assert_eq!([code(&results[1]), code(&results[2])], ["connection.timeout", "limit.time"]);
    assert!(run.elapsed < Duration::from_secs(3), "{:?}", run.elapsed);
    "bytes, ratio, headers and time bounded".to_owned()
}

fn slow_reader(stage: &mut Stage) -> String {
    api(stage, |_| (200, "text/plain", "z".repeat(2 << 20)).into());
    let keep = |name: &str| json!({"send": {"handle": "c", "path": "/x", "as": name}});
    let bytewise = json!({"read": {"response": "r0", "max": 1}});
    let mut orders: Vec<Value> = (0..9).map(|n| keep(&format!("r{n}"))).collect();
    orders.extend(std::iter::repeat_n(bytewise, 50));
    let results = with_api(stage, orders);
    assert!(results[..8].iter().all(|result| result["ok"]["status"] == 200), "{results:?}");
    assert_eq!(code(&results[8]), "limit.responses-bytes", "16 MiB over all answers");
    assert!(results[9..].iter().all(|result| result["ok"]["bytes"] == 1), "{results:?}");
    "8 answers of 2 MiB kept, the ninth refused".to_owned()
}

fn addresses(stage: &mut Stage) -> String {
    let hosts = ["169.254.169.254", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "0.0.0.0"];
    let mut orders = Vec::new();
    for (number, host) in hosts.iter().enumerate() {
        let slot = format!("inside{number}");
        stage.http(&slot, &format!("https://{host}"), anything());
        orders.push(json!({"open": {"slot": slot, "as": "c"}}));
        orders.push(json!({"send": {"handle": "c", "path": "/meta-data", "timeout-ms": 300}}));
    }
    let results = stage.ask(Value::from(orders)).results();
    let sent: Vec<Value> = results.iter().skip(1).step_by(2).cloned().collect();
    all_are(&sent, "connection.address-denied", &hosts);
    assert!(sent.iter().all(|result| result["error"]["reason"] == "denied"), "{sent:?}");
    "four ways to metadata refused; names that lead there in host/connections/src/address.rs"
        .to_owned()
}

fn inside(stage: &mut Stage) -> String {
    let server = api(stage, fine);
    let results = with_api(stage, [get("/x")]);
    assert_eq!(results[0]["ok"]["status"], 200, "{results:?}");
    assert_eq!(server.received().len(), 1);
    "loopback is used because the operator wrote it".to_owned()
}

fn cleartext(stage: &mut Stage) -> String {
    let server = stage.serve_with(fine);
    stage.http("api", &server.url.replace("https:", "http:"), anything());
    let run = stage.ask(json!([{"open": {"slot": "api", "as": "c"}}]));
    let failure = run.fails("connection.unusable");
    assert!(failure.message.contains("allowCleartext"), "{}", failure.message);
    assert!(server.received().is_empty());
    "the connection can't be used".to_owned()
}

fn certificates(stage: &mut Stage) -> String {
    let stranger = Authority::new();
    let days = Certificate::default().days;
    let cases = [
        ("another authority", &stranger, Certificate::default()),
        ("another name", stage.authority(), Certificate { name: "other.example.com", days }),
        ("expired", stage.authority(), Certificate { days: (-30, -1), ..Certificate::default() }),
        ("not yet", stage.authority(), Certificate { days: (1, 30), ..Certificate::default() }),
    ];
    let servers: Vec<(&str, Server)> = cases
        .iter()
        .map(|(what, authority, certificate)| {
            let started = Server::start_with(authority, certificate, fine);
            (*what, stage.runtime().block_on(started))
        })
        .collect();
    for (what, server) in &servers {
        stage.http("api", &server.url, anything());
        let results = with_api(stage, [get("/x")]);
        assert_eq!(code(&results[0]), "connection.tls", "{what}: {results:?}");
        assert!(server.received().is_empty(), "{what}");
    }
    format!("{} certificates refused, nothing sent", servers.len())
}

fn direct(stage: &mut Stage) -> String {
    let server = api(stage, fine);
    with_api(stage, [get("/x")]);
    assert_eq!(server.received().len(), 1);
    "the request goes where the connection says".to_owned()
}

fn neighbours(stage: &mut Stage) -> String {
    let server = api(stage, fine);
    stage.write("other.key", "CANARY-of-the-neighbour\"0123456789abcdef");
    let other = json!({
        "baseUrl": server.url, "certificateAuthority": {"file": "ca.pem"},
        "headers": {"X-Key": {"file": "other.key"}},
    });
    stage.connection("http", "other", other, anything());
    let mut orders = vec![
        json!({"open": {"slot": "api", "as": "a"}}),
        json!({"open": {"slot": "other", "as": "b"}}),
    ];
    for _ in 0..5 {
        orders.push(json!({"send": {"handle": "a", "path": "/a"}}));
        orders.push(json!({"send": {"handle": "b", "path": "/b"}}));
    }
    stage.ask(Value::from(orders)).results();
    let received = server.received();
    assert_eq!(received.len(), 10);
    for request in &received {
        let (first, second) = (request.headers.get("authorization"), request.headers.get("x-key"));
        assert_eq!(
            (first.is_some(), second.is_some()),
            (request.path == "/a", request.path == "/b")
        );
    }
    std::fs::remove_file(stage.folder().join("other.key")).expect("take the key away");
    "ten requests in turns, each with the credential of its own connection".to_owned()
}

fn restrictions(stage: &mut Stage) -> String {
    let server = api(stage, fine);
    let restrict =
        |scope: Value, name: &str| json!({"restrict": {"handle": "c", "scope": scope, "as": name}});
    let orders = [
        restrict(json!([]), "nothing"),
        json!({"send": {"handle": "nothing", "path": "/x"}}),
        restrict(json!([{"method": "DELETE", "path": "/{a}"}]), "wider"),
        restrict(json!([{"method": "GET", "path": "/{a}", "query": ["secret"]}]), "wider"),
        restrict(json!("{\"a\":1,\"a\":2}"), "twice"),
        restrict(json!("["), "half"),
        restrict(json!({}), "object"),
        restrict(json!([{"method": "GET", "path": "/../x"}]), "dots"),
        restrict(json!([{"method": "GET", "path": "/${inputs.do}"}]), "inputs"),
        json!({"restrict": {"handle": "c", "scope": [{"method": "GET", "path": "/x"}], "repeat": 10_000}}),
    ];
    let results = with_api(stage, orders);
    assert_eq!(results[0], json!({"ok": true}));
    assert_eq!(code(&results[1]), "http.denied", "{results:?}");
    assert_eq!([code(&results[2]), code(&results[3])], ["scope.wider"; 2]);
    all_are(&results[4..9], "scope.invalid", &["twice", "half", "object", "dots", "inputs"]);
    assert_eq!((code(&results[9]), &results[9]["depth"]), ("limit.restrict-depth", &json!(17)));
    assert!(server.received().is_empty());
    "only ever weaker, 16 deep".to_owned()
}

fn refusals(stage: &mut Stage) -> String {
    let server = api(stage, |received| {
        let status = if received.path == "/fine" { 404 } else { 401 };
        (status, "text/plain", "no".to_owned()).into()
    });
    let tries = ["/x", "/x", "/x", "/x", "/fine"].into_iter().chain(std::iter::repeat_n("/x", 9));
    let mut orders: Vec<Value> = tries.map(get).collect();
    orders.push(json!({"open": {"slot": "api", "as": "again"}}));
    orders.push(json!({"send": {"handle": "again", "path": "/fine"}}));
    let (results, run) = run_with_api(stage, orders);
    assert_eq!(server.received().len(), 10, "five in a row, after one that was another answer");
    all_are(&results[10..14], "connection.auth-failures", &["6", "7", "8", "9"]);
    assert_eq!(code(&results[15]), "connection.auth-failures", "of another handle, too");
    assert_eq!(results[15]["error"]["reason"], "revoked");
    assert_eq!(run.refusals(), ["connection.auth-failures"; 5], "each is on record");
    "revoked after 5 refusals in a row, each further one on record".to_owned()
}

fn at_once(stage: &mut Stage) -> String {
    let server = api(stage, fine);
    let many = json!({"send-all": {"handle": "c", "path": "/x", "repeat": 1_000}});
    let results = with_api(stage, [many]);
    let answers = results[0]["ok"].as_array().cloned().unwrap_or_default();
    assert_eq!(results[0]["count"], 1_000);
    all_are(&answers, "limit.send-all", &(0..answers.len()).collect::<Vec<_>>());
    assert!(server.received().is_empty(), "nothing of it was sent");
    "1,000 requests refused before the first".to_owned()
}

fn queries(stage: &mut Stage) -> String {
    let server = api(stage, fine);
    let twice = ["/x?x=1&x=2", "/x?x=1&%78=2", "/x?q=1&x=2&q="];
    let results = with_api(stage, twice.map(get));
    all_are(&results, "http.duplicate-query", &twice);
    let unknown =
        ["/x?api_key=1", "/x?x=1&api%5Fkey=2", "/x?y%5Bz%5D=1&X=2", "/x?x+=1", "/x?x%20=1"];
    let results = with_api(stage, unknown.map(get));
    all_are(&results, "http.denied", &unknown);
    let split = ["/x?x=1;api_key=2"];
    all_are(&with_api(stage, split.map(get)), "http.invalid-path", &split);
    assert!(server.received().is_empty());
    format!("{} queries refused", twice.len() + unknown.len() + split.len())
}

fn oracles(stage: &mut Stage) -> String {
    let server = api(stage, fine);
    stage.cluster("cluster", &server.url, json!([]));
    let open = |slot: &str| json!({"open": {"slot": slot, "as": "c"}});
    let slots = ["unknown", "no-http", "cluster", ""];
    let results = with_api(stage, slots.map(open));
    let told: Vec<String> = results
        .iter()
        .zip(slots)
        .map(|(result, slot)| result.to_string().replacen(&format!("`{slot}`"), "`?`", 1))
        .collect();
    assert!(told.iter().all(|text| *text == told[0]), "{told:#?}");
    assert_eq!(code(&results[0]), "connection.not-granted");
    "what is unknown, not granted and of another type reads the same".to_owned()
}
