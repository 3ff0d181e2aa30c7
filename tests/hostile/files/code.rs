//! A6, A7, A8, A12: compiled code, where it is kept, and the child that makes it.

use super::good;
use crate::stage::{Stage, cache, compiler};
use crate::table::Case;
use effects::Layer;
use sandbox::{ChildProgram, CodeCache, CompileLimits, Compiler, Entry, Signers, artifact};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tests::guest;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("A6", "compiled code with a flipped bit, or another's", &[Layer::Seal], tampered),
        Case::new("A7", "compiled code that is replaced while it is used", &[], replaced),
        Case::new("A8", "a cache that others can write to, a link, another's", &[], open_cache),
        Case::new("A12", "a compiler that is killed, lies, or is late", &[Layer::Compile], liar),
    ]
}

/// A plugin that nobody has compiled before.
fn fresh(name: &str) -> Vec<u8> {
    let mut manifest = guest::manifest(name);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
    manifest["summary"] = format!("made at {now}").into();
    guest::component(guest::NO_OP, &manifest)
}

/// Where the code of a plugin is kept.
fn kept(bytes: &[u8]) -> PathBuf {
    let name = artifact::digest(bytes).replace(':', "-");
    let files = fs::read_dir(cache()).expect("list the cache").flatten();
    let mut paths = files.map(|file| file.path());
    paths.find(|path| path.to_string_lossy().contains(&name)).expect("the code is kept")
}

fn tampered(stage: &mut Stage) -> String {
    let (bytes, other) = (fresh("code"), fresh("other"));
    stage.install(&bytes).expect("it is good");
    stage.install(&other).expect("it is good");
    let path = kept(&bytes);
    let whole = fs::read(&path).expect("read the code");
    let mut cases = vec![fs::read(kept(&other)).expect("read the other's"), whole[..40].to_vec()];
    // In the hash itself: what is loaded without the seal is sound code, and the case shows it.
    for bit in [0, 100, 255] {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        cases.push(flipped);
    }
    let count = cases.len();
    // Those that would be harmless to load come first.
    for wrong in cases.into_iter().rev() {
        fs::write(&path, &wrong).expect("change the code");
        stage.restart();
        stage.install(&bytes).expect("it is compiled again");
        assert_ne!(fs::read(&path).expect("it is kept again"), wrong, "changed code was used");
    }
    format!("{count} changed files made anew")
}

fn replaced(stage: &mut Stage) -> String {
    let bytes = fresh("swapped");
    stage.plugin("swapped", &bytes);
    stage.run_plugin("swapped").outputs_of("swapped");
    let path = kept(&bytes);
    for _ in 0..3 {
        // What runs was read into memory once.
        fs::write(&path, vec![0xcc; 1 << 20]).expect("replace the code");
        stage.run_plugin("swapped").outputs_of("swapped");
    }
    stage.restart();
    stage.run_plugin("swapped").outputs_of("swapped");
    "ran from memory, and was compiled again after".into()
}

fn open_cache(stage: &mut Stage) -> String {
    let at = |name: &str| stage.folder().join("caches").join(name);
    for name in ["open", "theirs", "target"] {
        fs::create_dir_all(at(name)).expect("make a folder");
        fs::set_permissions(at(name), Permissions::from_mode(0o700)).expect("close it");
    }
    fs::set_permissions(at("open"), Permissions::from_mode(0o777)).expect("open it");
    symlink(at("target"), at("link")).expect("make a link");
    fs::write(at("file"), b"").expect("make a file");
    let mut bad = vec!["open", "link", "file"];
    // Only root can give a folder away.
    if chown(at("theirs"), Some(1), None).is_ok() {
        bad.push("theirs");
    }
    for name in &bad {
        let (_cache, warning) = CodeCache::open(&at(name));
        let warning = warning.expect("it is not used");
        assert!(warning.contains("compiled code is not kept"), "{name}: {warning}");
        if at(name).is_dir() {
            let files = fs::read_dir(at(name)).expect("list it").count();
            assert_eq!(files, 0, "{name} was written to");
        }
    }
    format!("{} folders not used, with a warning", bad.len())
}

/// A shell in the place of the compiler.
fn shell(script: &str) -> ChildProgram {
    let limits = CompileLimits { time_max: Duration::from_millis(500), ..CompileLimits::default() };
    ChildProgram { program: "/bin/sh".into(), arguments: vec!["-c".into(), script.into()], limits }
}

fn liar(stage: &mut Stage) -> String {
    let small = CompileLimits { memory_bytes_max: 32 << 20, ..CompileLimits::default() };
    let (program, arguments) = {
        let honest = compiler(small);
        (honest.program.clone(), honest.arguments.clone())
    };
    let honest = format!("{} {}", program.display(), arguments[0].to_string_lossy());
    let cases = [
        ("killed", shell("kill -9 $$"), "plugin.compile-failed", "signal 9"),
        ("garbage", shell("cat >/dev/null; echo code"), "plugin.compile-failed", "not an answer"),
        ("late", shell("exec sleep 20"), "plugin.compile-limit", "500ms"),
        (
            "noise",
            shell(&format!("{honest}; echo careful >&2")),
            "plugin.compile-failed",
            "careful",
        ),
        ("more", shell(&format!("{honest}; echo more")), "plugin.compile-failed", "not an answer"),
        ("less", shell(&format!("{honest} | head -c 9999")), "plugin.compile-failed", "not an"),
        ("failed", shell(&format!("{honest}; exit 1")), "plugin.compile-failed", "exit status"),
    ];
    let component = good();
    stage.write("candidate.wasm", &component);
    let entry = Entry::of_file(&stage.candidate(), &Signers::default());
    for (name, child, code, words) in &cases {
        let began = Instant::now();
        let error = sandbox(stage, child.clone()).try_out(&entry).expect_err(name);
        assert_eq!(error.code, *code, "{name}: {error}");
        assert!(error.message.contains(words), "{name}: {error}");
        assert!(began.elapsed() < Duration::from_secs(2), "{name} took {:?}", began.elapsed());
    }
    // A limit of the real one: less memory than the program itself has.
    let starved = ChildProgram { program, arguments, limits: small };
    let error = sandbox(stage, starved).try_out(&entry).expect_err("starved");
    assert!(error.code.starts_with("plugin.compile-"), "{error}");
    let whole = compiler(CompileLimits::default());
    sandbox(stage, whole).try_out(&entry).expect("the honest compiler is believed");
    format!("{} ways to fail, each closed", cases.len() + 1)
}

/// A host without a cache that compiles with this child.
fn sandbox(stage: &Stage, child: ChildProgram) -> sandbox::Sandbox {
    stage.sandbox(CodeCache::none()).with_compiler(Compiler::child(child))
}
