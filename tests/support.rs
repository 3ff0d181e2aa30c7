//! The test builder: a folder of its own, the real program, an empty home.
//!
//! Whatever the program says and writes is searched for the credentials of the test, here and for
//! every test: what it says at once, its files when the place is left.

// By their paths, since other test binaries take this file in from another folder.
#[path = "support/server.rs"]
pub(crate) mod server;
#[allow(dead_code, reason = "not every test binary needs the services")]
#[path = "support/services.rs"]
pub(crate) mod services;

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;
use tempfile::TempDir;
use tests::canary::{Found, Scanner};

/// A place to run the program in: nothing of the machine's user reaches it.
pub(crate) struct Place {
    folder: TempDir,
    environment: Vec<(String, String)>,
    /// The files in which the test itself has put a credential, as an operator keeps keys.
    keys: Mutex<Vec<PathBuf>>,
    /// Credentials that the program has made.
    made: Mutex<Vec<String>>,
    began: SystemTime,
}

/// What the program did.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The user that runs this test, as the system knows them.
#[allow(dead_code, reason = "not every test binary asks")]
pub(crate) fn user() -> String {
    let output = Command::new("id").arg("-un").output().expect("start id");
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

/// The program, as it was built beside this test.
pub(crate) fn program() -> PathBuf {
    let mut path = std::env::current_exe().expect("know this test's path");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    let path = path.join(format!("bowline{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is not built; `make test` builds it", path.display());
    path
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("make a folder");
        fs::create_dir(folder.path().join("home")).expect("make a home");
        let began = fs::metadata(folder.path()).and_then(|folder| folder.modified());
        let began = began.expect("know when the folder was made");
        Self {
            folder,
            environment: Vec::new(),
            keys: Mutex::default(),
            made: Mutex::default(),
            began,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, with the folders that lead to it.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("make its folder");
        fs::write(&path, &content).expect("write a file");
        let mut found = Found::default();
        self.scanner().bytes(name, content.as_ref(), &mut found);
        if !found.hits.is_empty() {
            self.keys.lock().unwrap_or_else(PoisonError::into_inner).push(path);
        }
        self
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The program has made these credentials and keeps them in the file `name`; nowhere else are
    /// they to be found.
    #[allow(dead_code, reason = "not every test binary has practice services")]
    pub(crate) fn made(&self, name: &str, credentials: Vec<String>) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).push(self.path(name));
        self.made.lock().unwrap_or_else(PoisonError::into_inner).extend(credentials);
    }

    fn scanner(&self) -> Scanner {
        Scanner::with(&self.made.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Copies the article's runbook here.
    pub(crate) fn runbook(&self) -> &Self {
        let text = fs::read(root().join("workflows/datadog-k8s-rollback.yaml")).expect("read it");
        self.write("runbook.yaml", text)
    }

    /// All workflows of the repository, with what belongs to them.
    #[allow(dead_code, reason = "not every test binary runs them all")]
    pub(crate) fn workflows(&self) -> &Self {
        let folder = root().join("workflows");
        for part in ["", "manifests"] {
            for entry in fs::read_dir(folder.join(part)).expect("list them") {
                let path = entry.expect("an entry").path();
                if path.is_file() {
                    let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
                    let name = Path::new(part).join(name);
                    self.write(name.to_str().expect("a name"), fs::read(&path).expect("read it"));
                }
            }
        }
        self
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.path("home"))
            // Who somebody is, the system says, and not the environment.
            .env("USER", "somebody-else")
            // Compiled code is shared between tests; it is safe to lose and authenticated.
            .env("XDG_CACHE_HOME", cache())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        let output = self.command(arguments).output().expect("start the program");
        let mut found = Found::default();
        let scanner = self.scanner();
        scanner.bytes("stdout", &output.stdout, &mut found);
        scanner.bytes("stderr", &output.stderr, &mut found);
        assert!(found.hits.is_empty(), "{arguments:?} tells a credential: {:#?}", found.hits);
        Done::from(output)
    }

    /// Looks for credentials in everything that was written here and into the shared cache since
    /// the test began: the journal and its log, what was kept for later, whatever else there is.
    /// The files in which the test keeps its keys are left out, by name.
    pub(crate) fn search(&self) -> Found {
        let (scanner, mut found) = (self.scanner(), Found::default());
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
        scanner.folder(self.folder.path(), &|path| keys.iter().any(|key| key == path), &mut found);
        let old = |path: &Path| {
            let modified = fs::metadata(path).and_then(|file| file.modified());
            modified.is_ok_and(|modified| modified < self.began)
        };
        scanner.folder(&cache(), &old, &mut found);
        found
    }

    /// Everything that was written below this place, by path.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("list a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let bytes = fs::read(&path).expect("read a file");
                    found.push((path, bytes));
                }
            }
        }
        found
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let found = self.search();
            assert!(found.hits.is_empty(), "a credential was written: {:#?}", found.hits);
        }
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
        }
    }
}

impl Done {
    /// Fails with everything that the program said unless it ended like this.
    #[track_caller]
    pub(crate) fn ends(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails unless stderr holds each of `parts`.
    #[track_caller]
    pub(crate) fn says(&self, parts: &[&str]) -> &Self {
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is not in:\n{}", self.stderr);
        }
        self
    }

    /// The lines of stdout as JSON.
    pub(crate) fn json(&self) -> Vec<Value> {
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in `{line}`"))
        };
        self.stdout.lines().map(parse).collect()
    }

    /// The last line of a run as JSON.
    pub(crate) fn finished(&self) -> Value {
        let last = self.json().pop().unwrap_or_else(|| panic!("nothing came; {}", self.stderr));
        assert_eq!(last["event"], "run-finished", "{last}");
        last
    }
}

/// A cache folder for all tests of this build.
fn cache() -> PathBuf {
    let mut folder = program();
    folder.pop();
    folder.join("test-cache")
}

/// The folder of recorded facts beside the repository. Where it is absent, tests that need it
/// say so loudly and pass.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let path = root().join("../shared").join(path);
    if path.exists() {
        return Some(path);
    }
    skipped(&format!("{} is not there", path.display()));
    None
}

/// Says that a test could not be made here, and adds a line to the file that `BOWLINE_TEST_SKIPS`
/// names: what a test prints that passes is seen by nobody.
pub(crate) fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
    if let Some(list) = std::env::var_os("BOWLINE_TEST_SKIPS") {
        let list = std::fs::OpenOptions::new().create(true).append(true).open(list);
        let line = format!("{why}\n");
        let noted = list.and_then(|mut list| std::io::Write::write_all(&mut list, line.as_bytes()));
        noted.expect("note what is skipped");
    }
}
