//! A9, A20: files of the wrong size and kind, and links, in a folder of plugins.

use super::good;
use crate::stage::Stage;
use crate::table::Case;
use sandbox::{Catalog, Entry, Signers};
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("A9", "a file that is huge, grows, or is a pipe, a device, a folder", &[], kinds),
        Case::new("A20", "links in the folder of plugins", &[], links),
    ]
}

/// What a scan of `folder` says of each file, by the file's name.
fn scan(stage: &Stage, folder: &str) -> Vec<(String, String)> {
    let began = Instant::now();
    let folder = stage.folder().join(folder);
    let catalog = Catalog::scan(&[], &[folder], &Signers::default()).expect("list the folder");
    assert!(began.elapsed() < Duration::from_secs(2), "it took {:?}", began.elapsed());
    let said = catalog.entries().map(|entry| {
        let code = entry.artifact.as_ref().map_or_else(|error| error.code, |_| "good");
        (entry.name.clone(), code.to_owned())
    });
    said.collect()
}

fn kinds(stage: &mut Stage) -> String {
    stage.write("kinds/a-good.wasm", good());
    let at = |name: &str| stage.folder().join("kinds").join(name);
    File::create(at("huge.wasm")).and_then(|file| file.set_len(200 << 20)).expect("a large file");
    fs::create_dir(at("folder.wasm")).expect("make a folder");
    let made = Command::new("mkfifo").arg(at("pipe.wasm")).status().expect("run mkfifo");
    assert!(made.success());

    let found = scan(stage, "kinds");

    let expected = [
        ("good", "good"),
        ("folder", "plugin.not-a-file"),
        ("huge", "plugin.too-large"),
        ("pipe", "plugin.not-a-file"),
    ];
    assert_eq!(found, expected.map(|(name, code)| (name.to_owned(), code.to_owned())));
    let device = Entry::of_file("/dev/zero".as_ref(), &Signers::default());
    assert_eq!(device.artifact.expect_err("a device").code, "plugin.not-a-file");
    grows(stage);
    format!("{} files told apart, one that grows bounded", expected.len() + 1)
}

/// A file that somebody writes to for as long as it is read.
fn grows(stage: &Stage) {
    let path = stage.folder().join("growing.wasm");
    fs::write(&path, good()).expect("write a file");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = File::options().append(true).open(&path).expect("open it");
            let piece = vec![0; 1 << 20];
            // More than is ever read, and then it is enough.
            for _ in 0..80 {
                if stop.load(Ordering::Relaxed) || file.write_all(&piece).is_err() {
                    break;
                }
            }
        });
        let began = Instant::now();
        for _ in 0..3 {
            let entry = Entry::of_file(&path, &Signers::default());
            if let Err(error) = entry.artifact {
                let codes = ["plugin.too-large", "plugin.malformed", "plugin.too-complex"];
                assert!(codes.contains(&error.code), "{error}");
            }
        }
        assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
        stop.store(true, Ordering::Relaxed);
    });
}

fn links(stage: &mut Stage) -> String {
    stage.write("links/a-good.wasm", good());
    stage.write("elsewhere/other.wasm", good());
    let at = |name: &str| stage.folder().join("links").join(name);
    symlink("/etc/shadow", at("shadow.wasm")).expect("make a link");
    symlink(at("loop.wasm"), at("loop.wasm")).expect("make a link");
    symlink(stage.folder().join("elsewhere/other.wasm"), at("other.wasm")).expect("make a link");
    symlink("/dev/zero", at("zero.wasm")).expect("make a link");
    fs::hard_link(at("a-good.wasm"), at("hard.wasm")).expect("make a hard link");

    let found = scan(stage, "links");

    let refused = found.iter().filter(|(_, code)| code == "plugin.link").count();
    assert_eq!(refused, 4, "{found:?}");
    // A hard link is the file itself, under another name and with the same digest.
    let good = found.iter().filter(|(_, code)| code == "good").count();
    assert_eq!(good, 2, "{found:?}");
    format!("{refused} links skipped, each told")
}
