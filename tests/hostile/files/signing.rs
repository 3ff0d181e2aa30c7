//! A17 and B8: who has signed what. With the part of A19 that is about twins: a name says nothing.

use super::good;
use crate::stage::Stage;
use crate::table::Case;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blake2::{Blake2b512, Digest as _};
use effects::Layer;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use sandbox::{Artifact, ArtifactError, Catalog, Entry, Signers};
use std::collections::BTreeMap;
use std::path::Path;
use tests::guest;
use workflow::Resolution;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "A17",
            "a signature of other bytes, another key, another form",
            &[Layer::Signature],
            wrong,
        ),
        Case::new(
            "B8",
            "a manifest that was changed after it was signed",
            &[Layer::Signature],
            edited,
        ),
    ]
}

/// Signs as minisign does: over a hash, with a comment that is signed too.
struct Author {
    pair: Ed25519KeyPair,
    id: [u8; 8],
}

impl Author {
    fn new(seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a pair of keys");
        Self { pair, id: [seed; 8] }
    }

    /// The public key as it stands in the settings.
    fn key(&self) -> String {
        STANDARD.encode([b"Ed", &self.id[..], self.pair.public_key().as_ref()].concat())
    }

    fn sign(&self, bytes: &[u8], comment: &str) -> String {
        self.sign_as(b"ED", &Blake2b512::digest(bytes), comment)
    }

    /// In the form that `algorithm` stands for.
    fn sign_as(&self, algorithm: &[u8; 2], signed: &[u8], comment: &str) -> String {
        let signature = self.pair.sign(signed);
        let global = self.pair.sign(&[signature.as_ref(), comment.as_bytes()].concat());
        let first = [algorithm, &self.id[..], signature.as_ref()].concat();
        format!(
            "untrusted comment: signature\n{}\ntrusted comment: {comment}\n{}\n",
            STANDARD.encode(first),
            STANDARD.encode(global.as_ref())
        )
    }
}

fn signers(authors: &[(&str, &Author)]) -> Signers {
    let keys: BTreeMap<String, String> =
        authors.iter().map(|(name, author)| ((*name).to_owned(), author.key())).collect();
    Signers::new(&keys).expect("good keys")
}

/// Looks at a file with a signature beside it.
fn look(
    stage: &Stage,
    bytes: &[u8],
    signature: &str,
    signers: &Signers,
) -> Result<Artifact, ArtifactError> {
    stage.write("candidate.wasm", bytes);
    stage.write("candidate.wasm.minisig", signature);
    Entry::of_file(&stage.candidate(), signers).artifact
}

fn wrong(stage: &mut Stage) -> String {
    let (author, stranger) = (Author::new(1), Author::new(2));
    let known = signers(&[("ops", &author)]);
    let good = good();
    let whole = author.sign(&good, "release 1");
    let found = look(stage, &good, &whole, &known).expect("it is signed");
    assert_eq!(found.signer.as_deref(), Some("ops"));
    assert_eq!(found.signer_comment.as_deref(), Some("release 1"));
    // The stranger's key under the number of the author's.
    let forged = Author { pair: Author::new(2).pair, id: author.id };
    let cases = [
        ("other bytes", author.sign(b"other", "release 1"), "plugin.signature-mismatch"),
        ("another key", stranger.sign(&good, "release 1"), "plugin.signature-unknown-key"),
        ("a forged number", forged.sign(&good, "release 1"), "plugin.signature-mismatch"),
        ("another comment", whole.replace("release 1", "release 2"), "plugin.signature-mismatch"),
        ("the old form", author.sign_as(b"Ed", &good, "x"), "plugin.signature-algorithm"),
        ("another form", author.sign_as(b"XX", &good, "x"), "plugin.signature-malformed"),
        ("empty", String::new(), "plugin.signature-malformed"),
        ("cut off", whole[..whole.len() / 2].to_owned(), "plugin.signature-malformed"),
    ];
    for (name, signature, code) in &cases {
        let error = look(stage, &good, signature, &known).expect_err(name);
        assert_eq!(error.code, *code, "{name}: {error}");
    }
    let error = look(stage, &good, &whole, &Signers::default()).expect_err("nobody is listed");
    assert_eq!(error.code, "plugin.signature-unknown-key");
    assert!(error.message.contains("0101010101010101"), "{error}");
    // Checked before anything is parsed: what is wrong with the file itself is not even seen.
    let error = look(stage, b"<html>", &whole, &known).expect_err("not what was signed");
    assert_eq!(error.code, "plugin.signature-mismatch");
    format!("{} signatures refused", cases.len() + 2)
}

fn edited(stage: &mut Stage) -> String {
    let author = Author::new(1);
    let known = signers(&[("ops", &author)]);
    let good = good();
    let signature = author.sign(&good, "release 1");
    let at = good.windows(5).position(|bytes| bytes == b"1.0.0").expect("the version");
    let mut changed = good.clone();
    changed[at] = b'2';
    let twice = guest::with_manifest(good.clone(), &guest::manifest("good"));
    for (name, bytes) in [("changed", &changed), ("appended", &twice)] {
        let error = look(stage, bytes, &signature, &known).expect_err(name);
        assert_eq!(error.code, "plugin.signature-mismatch", "{name}: {error}");
    }
    std::fs::remove_file(stage.folder().join("candidate.wasm.minisig")).expect("take it away");
    let error = stage.install(&twice).expect_err("two manifests");
    assert_eq!(error.code, "plugin.manifest-invalid");
    "changed and appended manifests are refused".into()
}

/// Two plugins with one name: what they are is told by digest and signer.
pub(super) fn twins(stage: &Stage) {
    let author = Author::new(1);
    let known = signers(&[("ops", &author)]);
    let good = good();
    let mut manifest = guest::manifest("good");
    manifest["summary"] = "not the good one".into();
    let twin = guest::component(guest::NO_OP, &manifest);
    stage.write("signed/a.wasm", &good);
    stage.write("signed/a.wasm.minisig", author.sign(&good, ""));
    stage.write("unsigned/b.wasm", &twin);
    stage.write("both/a.wasm", &good);
    stage.write("both/b.wasm", &twin);
    let scan = |folders: &[&str]| {
        let folders: Vec<_> = folders.iter().map(|name| stage.folder().join(name)).collect();
        Catalog::scan(&[], &folders, &known).expect("list the folders")
    };
    // In one folder nobody can tell which was meant.
    let both = scan(&["both"]);
    let codes: Vec<_> = both.entries().filter_map(|entry| entry.artifact.as_ref().err()).collect();
    assert!(codes.len() == 2 && codes.iter().all(|error| error.code == "plugin.name-twice"));
    // Else the operator's order decides, and the pin says which one it was and who signed it.
    let pin = |folders: &[&str]| {
        let found = scan(folders).resolve(["good"], Path::new(""));
        match &found["good"] {
            Resolution::Found(signature) => signature.pin.clone(),
            other => panic!("{other:?}"),
        }
    };
    let (first, second) = (pin(&["signed", "unsigned"]), pin(&["unsigned", "signed"]));
    assert_eq!((&first.name, first.signer.as_deref()), (&second.name, Some("ops")));
    assert_eq!(second.signer, None);
    assert_ne!(first.digest, second.digest);
}
