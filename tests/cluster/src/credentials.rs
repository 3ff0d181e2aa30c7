//! Who is who in the throw-away cluster: its authority, its certificates, its users.
//!
//! Everything here is made anew for each run and lives in the run's temporary folder.

use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// May do everything.
pub(crate) const ADMIN: &str = "admin";
/// May do what a scenario's rules say.
pub(crate) const LIMITED: &str = "limited";
/// Has a token that the cluster does not know (any more).
pub(crate) const EXPIRED: &str = "expired";
/// Has the right token, but trusts another authority than the cluster's.
pub(crate) const MISTRUSTING: &str = "mistrusting";
/// Has the right token, but an address where nobody listens.
pub(crate) const MISDIRECTED: &str = "misdirected";
/// Everybody.
pub(crate) const USERS: &[&str] = &[ADMIN, LIMITED, EXPIRED, MISTRUSTING, MISDIRECTED];

/// A certificate authority, which signs only for the loopback address.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// The tokens of a run.
pub(crate) struct Tokens {
    pub(crate) admin: String,
    limited: String,
    expired: String,
}

impl Authority {
    pub(crate) fn new() -> Result<Self> {
        let key = KeyPair::generate().context("make a key")?;
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).context("sign the authority")?;
        Ok(Self { pem: certificate.pem(), issuer: Issuer::new(parameters, key) })
    }

    fn server(&self) -> Result<(rcgen::Certificate, KeyPair)> {
        let key = KeyPair::generate().context("make a key")?;
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let parameters = CertificateParams::new(names).context("name the server")?;
        let certificate = parameters.signed_by(&key, &self.issuer).context("sign the server")?;
        Ok((certificate, key))
    }

    /// TLS for a server inside this process.
    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor> {
        let (certificate, key) = self.server()?;
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .context("configure a server")?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Writes what the API server needs into `folder`.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let (certificate, key) = self.server()?;
        let accounts = KeyPair::generate().context("make a key")?;
        let stranger = Self::new()?;
        let files = [
            ("ca.pem", self.pem.clone()),
            ("other-ca.pem", stranger.pem),
            ("server.pem", certificate.pem()),
            ("server-key.pem", key.serialize_pem()),
            ("accounts.pem", accounts.public_key_pem()),
            ("accounts-key.pem", accounts.serialize_pem()),
        ];
        for (name, text) in files {
            fs::write(folder.join(name), text).with_context(|| format!("write {name}"))?;
        }
        Ok(())
    }
}

impl Tokens {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { admin: random()?, limited: random()?, expired: random()? })
    }

    /// The API server's file. The expired token is not in it.
    pub(crate) fn csv(&self) -> String {
        format!(
            "{},{ADMIN},1,\"system:masters\"\n{},{LIMITED},2,\"people\"\n",
            self.admin, self.limited
        )
    }

    fn of(&self, user: &str) -> &str {
        match user {
            LIMITED => &self.limited,
            EXPIRED => &self.expired,
            _ => &self.admin,
        }
    }
}

/// Where a user believes the cluster to be, and which authority it trusts.
fn view<'a>(user: &str, server: &'a str) -> (&'a str, &'static str) {
    match user {
        MISTRUSTING => (server, "other-ca.pem"),
        // Port 1 is assigned and never used.
        MISDIRECTED => ("https://127.0.0.1:1", "ca.pem"),
        _ => (server, "ca.pem"),
    }
}

/// A kubeconfig for `user`, to stand beside the files of [`Authority::write`] in `folder`.
pub(crate) fn kubeconfig(tokens: &Tokens, user: &str, server: &str, folder: &Path) -> String {
    let (server, authority) = view(user, server);
    // JSON is YAML.
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": user}}],
        "clusters": [{"name": "c", "cluster":
            {"server": server, "certificate-authority": folder.join(authority)}}],
        "users": [{"name": user, "user": {"token": tokens.of(user)}}],
    })
    .to_string()
}

/// Bowline's settings with one connection per user, and a folder of further steps.
pub(crate) fn settings(
    tokens: &Tokens,
    server: &str,
    folder: &Path,
    plugins: Option<&Path>,
) -> String {
    let connections: serde_json::Map<String, serde_json::Value> = USERS
        .iter()
        .map(|user| {
            let (server, authority) = view(user, server);
            let connection = json!({
                "server": server,
                "certificateAuthority": {"file": folder.join(authority)},
                "token": {"value": tokens.of(user)},
            });
            ((*user).to_owned(), connection)
        })
        .collect();
    let plugins: Vec<&Path> = plugins.into_iter().collect();
    json!({"connections": {"kubernetes": connections}, "plugins": plugins}).to_string()
}

fn random() -> Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).context("get random bytes")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
