//! The search for credentials searches: what is planted is found, in six encodings, wherever the
//! program could have put it. The hostile cases show that the redactor is what keeps it out.

use crate::support::Place;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use tests::canary::{CANARY, Found, Scanner};

/// The canary as it may turn up.
fn forms() -> Vec<(&'static str, String)> {
    let each = |form: fn(u8) -> String| CANARY.bytes().map(form).collect::<String>();
    vec![
        ("as it is", CANARY.to_owned()),
        ("base64", STANDARD.encode(CANARY)),
        ("base64", STANDARD.encode(format!("u{CANARY}"))),
        ("base64", STANDARD.encode(format!("u:{CANARY}"))),
        ("base64", URL_SAFE_NO_PAD.encode(format!("{{\"u\":\"{CANARY}"))),
        ("hexadecimal", each(|b| format!("{b:02x}"))),
        ("hexadecimal", each(|b| format!("{b:02X}"))),
        ("percent-encoded", CANARY.replace('-', "%2D").replace('/', "%2F")),
        ("percent-encoded", each(|b| format!("%{b:02X}"))),
        // RFC 3986 leaves the hyphen alone.
        ("as it is", CANARY.replace('/', "%2F").replace('+', "%2B").replace('"', "%22")),
        ("escaped for JSON", each(|b| format!("\\u{b:04x}"))),
        ("as it is", serde_json::to_string(CANARY).expect("JSON")),
    ]
}

#[test]
fn the_canary_has_forty_characters_and_is_found_in_every_encoding() {
    assert_eq!(CANARY.len(), 40);
    let scanner = Scanner::new();
    for (encoding, form) in forms() {
        let mut found = Found::default();
        let mut bytes = vec![0x9e; 5_000];
        bytes.extend(form.bytes());
        bytes.extend([0xff; 100]);

        scanner.bytes("memory", &bytes, &mut found);

        assert_eq!(found.bytes, bytes.len() as u64);
        assert!(found.hits.len() == 1 && found.hits[0].contains(encoding), "{encoding}: {found:?}");
    }
    let mut found = Found::default();
    scanner.bytes("memory", b"a canary sings, CANARIES fly", &mut found);
    assert!(found.hits.is_empty(), "{found:?}");
}

#[test]
fn a_planted_credential_is_found_and_a_key_of_the_operator_is_none() {
    let place = Place::new();
    place.write("operator.key", CANARY).write("w.yaml", "steps: []\n");
    place.run(&["runs", "list"]);
    let before = place.search();
    assert!(before.hits.is_empty(), "{before:?}");

    for (name, (encoding, form)) in forms().into_iter().enumerate() {
        let path = place.path(&format!("home/.local/state/deep/{name}.db-wal"));
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("make it");
        std::fs::write(&path, format!("SQLite {form} page")).expect("plant it");

        let found = place.search();

        assert!(found.bytes > before.bytes, "{encoding}");
        assert_eq!(found.hits.len(), 1, "{encoding}: {found:?}");
        std::fs::remove_file(&path).expect("take it away");
    }
}
