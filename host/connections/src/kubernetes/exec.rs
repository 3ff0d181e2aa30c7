//! Credentials that a program mints: the `exec` of a kubeconfig, which the operator has allowed.
//!
//! The program runs in the host, without a terminal, for a bounded time, and what it prints is
//! taken as a credential and nothing else: an error shows the last of what it said, without
//! anything that could be a token. A guest never sees any of it.

use effects::{Needles, Secret};
use http::HeaderValue;
use jiff::Timestamp;
use kube::config::{ExecConfig, ExecInteractiveMode};
use serde::Deserialize;
use serde_json::json;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long the program may run.
const RUN_MAX: Duration = Duration::from_secs(60);

/// Bytes of what it prints.
const OUTPUT_BYTES_MAX: u64 = 1 << 20;

/// A token is minted again so long before it ends.
const EARLY: Duration = Duration::from_secs(60);

/// Characters of what a program said that an error repeats.
const SAID_MAX: usize = 300;

/// A word of so many characters of a token's alphabet is not repeated.
const TOKEN_CHARACTERS_MIN: usize = 16;

/// A program that mints credentials, and the last one.
pub(crate) struct Exec {
    config: ExecConfig,
    needles: Arc<Needles>,
    held: Mutex<Option<Token>>,
}

/// What the program gave.
pub(crate) enum Minted {
    /// For the `Authorization` header.
    Token(Box<Exec>),
    /// For TLS. Both parts as PEM.
    Identity { certificate: String, key: Secret },
}

struct Token {
    header: HeaderValue,
    good_until: Option<Instant>,
}

/// No credential came of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExecError {
    /// It can't be started at all.
    #[error("the kubeconfig names no program to run, or one that wants a terminal")]
    Unfit,
    /// No such program, or no right to run it.
    #[error("the program `{program}` that mints the credentials can't be started")]
    Start {
        /// Which.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// It took too long and was ended.
    #[error("the program `{program}` that mints the credentials did not end within {seconds} s")]
    Slow {
        /// Which.
        program: String,
        /// Its time.
        seconds: u64,
    },
    /// It failed.
    #[error("the program `{program}` that mints the credentials failed ({status}){said}")]
    Failed {
        /// Which.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// Its last words without credentials, behind a colon.
        said: String,
    },
    /// It said something else.
    #[error("the program `{program}` printed no `ExecCredential` with a token or a certificate")]
    Unreadable {
        /// Which.
        program: String,
    },
}

/// What a program of this kind prints.
#[derive(Deserialize)]
struct ExecCredential {
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    expiration_timestamp: Option<String>,
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

impl Exec {
    /// Runs the program for the first time. What it mints is among `needles` before it is used.
    pub(crate) async fn start(
        config: ExecConfig,
        needles: Arc<Needles>,
    ) -> Result<Minted, ExecError> {
        let status = mint(&config).await?;
        if let (Some(certificate), Some(key)) =
            (&status.client_certificate_data, &status.client_key_data)
        {
            let key = Secret::new(key.clone());
            needles.learn([&key]);
            return Ok(Minted::Identity { certificate: certificate.clone(), key });
        }
        let token = token(&config, &needles, status)?;
        Ok(Minted::Token(Box::new(Self { config, needles, held: Mutex::new(Some(token)) })))
    }

    /// The header to send now; runs the program again when the last token ends soon.
    pub(crate) async fn header(&self) -> Result<HeaderValue, ExecError> {
        let mut held = self.held.lock().await;
        if let Some(token) = &*held
            && token.good_until.is_none_or(|end| Instant::now() < end)
        {
            return Ok(token.header.clone());
        }
        let minted = token(&self.config, &self.needles, mint(&self.config).await?)?;
        let header = minted.header.clone();
        *held = Some(minted);
        Ok(header)
    }
}

fn token(config: &ExecConfig, needles: &Needles, status: Status) -> Result<Token, ExecError> {
    let unreadable = || ExecError::Unreadable { program: program(config) };
    let secret = status.token.map(Secret::new).filter(|secret| !secret.is_empty());
    let secret = secret.ok_or_else(unreadable)?;
    needles.learn([&secret]);
    let text = zeroize::Zeroizing::new(format!("Bearer {}", secret.reveal()));
    let mut header = HeaderValue::from_str(&text).map_err(|_| unreadable())?;
    header.set_sensitive(true);
    let good_until = match status.expiration_timestamp {
        None => None,
        Some(text) => {
            let end: Timestamp = text.parse().map_err(|_| unreadable())?;
            let left = Duration::try_from(end.duration_since(Timestamp::now()));
            Some(Instant::now() + left.unwrap_or_default().saturating_sub(EARLY))
        }
    };
    Ok(Token { header, good_until })
}

async fn mint(config: &ExecConfig) -> Result<Status, ExecError> {
    let owned = config.clone();
    let run = tokio::task::spawn_blocking(move || run(&owned, RUN_MAX)).await;
    let printed = run.map_err(|_| ExecError::Unreadable { program: program(config) })??;
    let credential: Option<ExecCredential> =
        std::str::from_utf8(&printed).ok().and_then(|text| serde_saphyr::from_str(text).ok());
    credential
        .and_then(|credential| credential.status)
        .ok_or_else(|| ExecError::Unreadable { program: program(config) })
}

/// Runs the program to its end and gives what it printed. Blocks.
fn run(config: &ExecConfig, time: Duration) -> Result<Vec<u8>, ExecError> {
    let program = program(config);
    let mut child = match command(config)?.spawn() {
        Ok(child) => child,
        Err(source) => return Err(ExecError::Start { program, source }),
    };
    let printed = drain(child.stdout.take());
    let said = drain(child.stderr.take());
    let Some(status) = wait(&mut child, time) else {
        return Err(ExecError::Slow { program, seconds: time.as_secs() });
    };
    // What the program left running may hold the pipes open for ever.
    let within = Duration::from_secs(1);
    let printed = printed.recv_timeout(within).unwrap_or_default();
    if status.success() {
        return Ok(printed);
    }
    let said = last_words(&said.recv_timeout(within).unwrap_or_default());
    Err(ExecError::Failed { program, status, said })
}

fn command(config: &ExecConfig) -> Result<Command, ExecError> {
    let program = config.command.as_deref().filter(|program| !program.is_empty());
    let terminal = config.interactive_mode == Some(ExecInteractiveMode::Always);
    let program = program.filter(|_| !terminal).ok_or(ExecError::Unfit)?;
    let mut spec = json!({ "interactive": false });
    if let Some(cluster) = config.cluster.as_ref().filter(|_| config.provide_cluster_info) {
        spec["cluster"] = json!(cluster);
    }
    let info = json!({ "apiVersion": config.api_version, "kind": "ExecCredential", "spec": spec });
    let mut command = Command::new(program);
    command.args(config.args.iter().flatten());
    for variable in config.env.iter().flatten() {
        if let (Some(name), Some(value)) = (variable.get("name"), variable.get("value")) {
            command.env(name, value);
        }
    }
    command
        .env("KUBERNETES_EXEC_INFO", info.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(command)
}

/// Reads a pipe to its end beside everything else, so that the program never waits for a reader.
fn drain(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.by_ref().take(OUTPUT_BYTES_MAX).read_to_end(&mut bytes);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        let _ = sender.send(bytes);
    });
    receiver
}

/// Waits for the program's end; ends it when its time is over.
fn wait(child: &mut Child, time: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) => std::thread::sleep(Duration::from_millis(10)),
            Err(_) => break,
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

fn program(config: &ExecConfig) -> String {
    config.command.clone().unwrap_or_default()
}

/// The last of what a program said, behind a colon: on one line, without anything that looks like
/// a token, since nobody knows the token of a program that failed.
fn last_words(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let of_token = |c: char| c.is_ascii_alphanumeric() || "+/=_-.".contains(c);
    let mut clean = String::new();
    let mut word = String::new();
    for c in said.trim().chars().chain([' ']) {
        if of_token(c) {
            word.push(c);
            continue;
        }
        let letters = word.chars().filter(|c| c.is_ascii_alphanumeric()).count();
        clean.push_str(if letters >= TOKEN_CHARACTERS_MIN { "***" } else { &word });
        word.clear();
        clean.push(if c.is_control() { ' ' } else { c });
    }
    let clean = clean.trim_end();
    let skipped = clean.chars().count().saturating_sub(SAID_MAX);
    let shown: String = clean.chars().skip(skipped).collect();
    if shown.is_empty() { shown } else { format!(": {}", shown.escape_debug()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use effects::Redactor;

    /// A program out of a line of shell.
    fn shell(script: &str) -> ExecConfig {
        serde_json::from_value(json!({
            "apiVersion": "client.authentication.k8s.io/v1", "command": "sh",
            "args": ["-c", script], "interactiveMode": "IfAvailable",
        }))
        .expect("a configuration")
    }

    fn print(status: &serde_json::Value) -> String {
        format!("echo '{}'", json!({"kind": "ExecCredential", "status": status}))
    }

    async fn failure(script: &str) -> String {
        match Exec::start(shell(script), Arc::new(Needles::new([]))).await {
            Ok(_) => panic!("`{script}` gave a credential"),
            Err(error) => crate::transport::chain(&error),
        }
    }

    #[tokio::test]
    async fn f13_a_minted_token_is_a_needle_before_it_is_sent() {
        let needles = Arc::new(Needles::new([]));
        let script =
            format!("echo CANARY-on-stderr >&2; {}", print(&json!({"token": "CANARY-minted-1"})));

        let minted = Exec::start(shell(&script), Arc::clone(&needles)).await.expect("a token");

        let Minted::Token(exec) = minted else { panic!("no token") };
        assert_eq!(exec.header().await.expect("a header"), "Bearer CANARY-minted-1");
        assert!(exec.header().await.expect("a header").is_sensitive());
        assert_eq!(Redactor::new(vec![needles]).text("x CANARY-minted-1 y"), "x *** y");
    }

    #[tokio::test]
    async fn f13_a_token_that_ends_is_minted_again_and_learned_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let count = folder.path().join("count");
        let script = format!(
            "echo x >> {count}; n=$(wc -l < {count}); echo '{{\"status\": {{\"token\": \
             \"CANARY-'$n'\", \"expirationTimestamp\": \"2020-01-01T00:00:00Z\"}}}}'",
            count = count.display()
        );
        let needles = Arc::new(Needles::new([]));
        let minted = Exec::start(shell(&script), Arc::clone(&needles)).await.expect("a token");
        let Minted::Token(exec) = minted else { panic!("no token") };

        assert_eq!(exec.header().await.expect("a header"), "Bearer CANARY-2");
        assert_eq!(exec.header().await.expect("a header"), "Bearer CANARY-3");

        let redactor = Redactor::new(vec![needles]);
        assert_eq!(redactor.text("CANARY-1 CANARY-2 CANARY-3"), "*** *** ***");
    }

    #[tokio::test]
    async fn a_certificate_may_be_minted_too() {
        let status = json!({"clientCertificateData": "CERT", "clientKeyData": "CANARY-KEY"});
        let needles = Arc::new(Needles::new([]));
        let minted = Exec::start(shell(&print(&status)), Arc::clone(&needles)).await;
        let Ok(Minted::Identity { certificate, key }) = minted else { panic!("no identity") };
        assert_eq!((certificate.as_str(), key.reveal()), ("CERT", "CANARY-KEY"));
        assert!(Redactor::new(vec![needles]).finds("CANARY-KEY"));
    }

    #[tokio::test]
    async fn f13_what_a_program_says_is_told_without_what_may_be_a_token() {
        let token = "eyJhbGciOiJSUzI1NiIsImtpZCI6IkNBTkFSWSJ9.CANARYCANARYCANARY";
        let said = failure(&format!(
            "printf 'session expired\\nlog in again, token was {token}\\033[0m' >&2; \
             echo {token}; exit 3"
        ))
        .await;
        for part in ["session expired log in again", "***", "exit status: 3", "`sh`"] {
            assert!(said.contains(part), "`{part}` is not in: {said}");
        }
        assert!(!said.contains("CANARY") && !said.contains('\u{1b}'), "{said}");
        for script in ["echo nonsense CANARY", "true", "echo '{\"status\": {\"token\": \"\"}}'"] {
            let said = failure(script).await;
            assert!(
                said.contains("printed no `ExecCredential`") && !said.contains("CANARY"),
                "{said}"
            );
        }
    }

    #[test]
    fn a_program_that_hangs_or_floods_is_ended() {
        let began = Instant::now();
        let slow = run(&shell("sleep 60"), Duration::from_millis(100));
        assert!(matches!(slow, Err(ExecError::Slow { .. })), "{slow:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        let flood = run(&shell("head -c 3000000 /dev/zero"), Duration::from_secs(30));
        assert_eq!(flood.expect("an end").len() as u64, OUTPUT_BYTES_MAX);
        let mut config = shell("true");
        config.command = Some("no-such-program-anywhere".to_owned());
        assert!(matches!(run(&config, RUN_MAX), Err(ExecError::Start { .. })));
        config.interactive_mode = Some(ExecInteractiveMode::Always);
        assert!(matches!(run(&config, RUN_MAX), Err(ExecError::Unfit)));
    }
}
