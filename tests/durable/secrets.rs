//! A far side that gives the credential back in every way it can: it is on no page, in no file, and
//! in no answer that is kept for later. Every other test here looks for the same, with a far side
//! that keeps quiet.

use crate::far::{Far, TOKEN, Way};
use crate::support::Place;
use crate::workflows::{approval, ask, tell, workflow};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

/// The credential in the forms in which services echo it.
fn echo() -> String {
    let hex: String = TOKEN.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = TOKEN.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let escaped: String = TOKEN.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let value = json!({
        "plain": TOKEN,
        "header": format!("Bearer {TOKEN}"),
        "base64": STANDARD.encode(TOKEN),
        "basic": STANDARD.encode(format!("user:{TOKEN}")),
        "url": URL_SAFE_NO_PAD.encode(TOKEN),
        "hex": hex,
        "percent": percent,
        "lines": format!("before\n{TOKEN}\nafter"),
        "far": format!("{}{TOKEN}", "x".repeat(70_000)),
    });
    let text = value.to_string();
    format!("{},\"escaped\": \"{escaped}\"}}", &text[..text.len() - 1])
}

/// A run that goes through everything that keeps answers: plan, tries, a lost answer, an approval,
/// a resume, a retry.
fn through_everything(place: &Place) {
    place.run(&["plan", "w.yaml", "--json", "--out", "plan.json"]);
    place.run(&["plan", "w.yaml"]);
    place.run(&["run", "w.yaml", "--json", "-vv"]).ends(3);
    place.run(&["runs", "resolve", "@latest", "lost", "--outcome", "done"]).ends(0);
    place.run(&["approve", "@latest", "confirm"]).ends(0);
    place.run(&["runs", "resume", "@latest", "-vv"]).ends(1);
    place.run(&["runs", "retry", "@latest", "--json"]).ends(1);
    for page in ["show", "logs", "watch", "report"] {
        place.run(&["runs", page, "@latest"]);
    }
    for page in ["show", "logs", "watch"] {
        place.run(&["runs", page, "@latest", "--json"]);
    }
    place.run(&["audit", "@latest", "--json"]);
    place.run(&["audit", "verify"]).ends(0);
    place.run(&["connection", "list", "--json"]);
    place.run(&["connection", "check", "http/api"]);
}

fn echoing() -> (Far, Place) {
    let far = Far::start(|request, before| match (request.path.as_str(), before) {
        ("/lost", _) => Way::Cut,
        ("/busy", 0..2) => Way::Answer(503, vec![("x-echo", TOKEN.to_owned())], echo()),
        ("/refused", _) => Way::json(400, &format!("{{\"error\": \"you sent {TOKEN}\"}}")),
        _ => Way::Answer(200, vec![("x-echo", TOKEN.to_owned())], echo()),
    });
    let mut place = Place::new();
    far.settings(&mut place, "");
    let busy = "x-bowline: {limits: {attemptSeconds: 2}, retry: {delaySeconds: 1}}\n";
    let headers = "    output_headers: [x-echo]\n    path:";
    let steps = [
        ask("asked", "/asked", "").replace("    path:", headers),
        ask("busy", "/busy", busy),
        tell("told", "/told", "dependsOn: asked\n")
            .replace("json: {n: 1}", "json: {n: !Output {from: asked, name: headers}}"),
        tell("lost", "/lost", ""),
        approval("confirm", ""),
        tell("refused", "/refused", "dependsOn: [confirm, lost, busy, told]\n"),
    ];
    place.write("w.yaml", workflow("", &steps));
    (far, place)
}

#[test]
fn f25_a_credential_that_comes_back_is_kept_nowhere() {
    let (far, place) = echoing();

    // Each call searches what was said; leaving the place searches what was written.
    through_everything(&place);

    assert!(far.count("POST /refused") >= 2, "it went the whole way: {:?}", far.lines());
    let with_it = far.seen().into_iter().all(|seen| {
        seen.request.headers.get("authorization").is_some_and(|sent| sent.ends_with(TOKEN))
    });
    assert!(with_it, "the far side gets it with each request");
    let bodies: Vec<String> = far.seen().into_iter().map(|seen| seen.request.body).collect();
    assert!(bodies.iter().all(|body| !body.contains("CANARY")), "{bodies:?}");
    let searched = place.search();
    assert!(searched.bytes > 100_000, "the journal was searched: {} bytes", searched.bytes);
}

#[test]
fn f25_the_search_finds_it_where_nobody_takes_it_out() {
    let (_far, mut place) = echoing();
    place.set("BOWLINE_TEST_WITHOUT", "redact");

    place.command(&["run", "w.yaml", "--json"]).output().expect("start it");

    let found = place.search();
    assert!(!found.hits.is_empty(), "the search above proves nothing");
    // So that leaving the place finds nothing more.
    std::fs::remove_dir_all(place.path("home")).expect("remove the journal");
}
