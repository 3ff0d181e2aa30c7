//! What the operator sets for a cluster, and the client configuration that comes of it.

use crate::secret_source::SecretSource;
use crate::tls::{CertificateSource, ClientIdentity, certificates};
use crate::transport::{chain, host_and_port};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use effects::Secret;
use kube::config::{AuthInfo, ExecConfig, KubeConfigOptions, Kubeconfig};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Stands in a kubeconfig for "no proxy"; leads nowhere.
const NO_PROXY: &str = "http://no-proxy.invalid/";

/// What is set for one cluster. One of `server`, `kubeconfig` and `inCluster` says where it is.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Written {
    server: Option<String>,
    certificate_authority: Option<CertificateSource>,
    token: Option<SecretSource>,
    client_certificate: Option<CertificateSource>,
    client_key: Option<SecretSource>,
    tls_server_name: Option<String>,
    kubeconfig: Option<PathBuf>,
    context: Option<String>,
    in_cluster: bool,
    impersonate: Option<String>,
    allow_exec: bool,
    allow_cleartext: bool,
    strict: bool,
}

/// A client configuration, and the credentials in it.
pub(crate) struct Ready {
    pub(crate) config: kube::Config,
    pub(crate) secrets: Vec<Secret>,
    /// The program that mints the credentials, if there are no others.
    pub(crate) exec: Option<ExecConfig>,
    /// Whether an answer that echoes a credential is withheld.
    pub(crate) strict: bool,
}

/// Reads what is set and everything that it points to.
pub(crate) async fn read(settings: &Value, folder: &Path) -> Result<Ready, String> {
    let written = Written::deserialize(settings).map_err(|error| error.to_string())?;
    let places = [written.server.is_some(), written.kubeconfig.is_some(), written.in_cluster];
    if places.iter().filter(|place| **place).count() != 1 {
        return Err(
            "it needs exactly one of `server`, `kubeconfig` and `inCluster: true`".to_owned()
        );
    }
    let mut ready = if let Some(path) = &written.kubeconfig {
        from_kubeconfig(&folder.join(expand_home(path)), &written).await?
    } else if written.in_cluster {
        in_cluster()?
    } else {
        from_server(&written, folder)?
    };
    let config = &mut ready.config;
    check_address(&config.cluster_url)?;
    if config.cluster_url.scheme_str() != Some("https") && !written.allow_cleartext {
        return Err(format!(
            "`{}` would send the credentials in clear; use https, or set `allowCleartext: true`",
            host_and_port(&config.cluster_url.to_string())
        ));
    }
    if let Some(token) = &config.auth_info.token {
        // The client would rather panic than say so.
        let header = http::HeaderValue::from_str(token.expose_secret());
        header.map_err(|_| "its token holds characters that no header can carry".to_owned())?;
    }
    if config.accept_invalid_certs {
        tracing::warn!(
            cluster = %config.cluster_url.authority().map_or("", |authority| authority.as_str()),
            "the kubeconfig skips the check of the server's certificate: anyone in between can take the credentials"
        );
    }
    if written.impersonate.is_some() {
        config.auth_info.impersonate = written.impersonate;
    }
    if written.tls_server_name.is_some() {
        config.tls_server_name = written.tls_server_name;
    }
    ready.strict = written.strict;
    Ok(ready)
}

/// An address is shown to whoever asks where a connection leads: no credential may be in it.
fn check_address(url: &http::Uri) -> Result<(), String> {
    let user = url.authority().is_some_and(|authority| authority.as_str().contains('@'));
    if !user && url.query().is_none() {
        return Ok(());
    }
    Err(format!(
        "the address of the cluster at `{}` holds a user, a password or a query; it has a host, \
         perhaps a path, and nothing else: credentials go where the connection or the kubeconfig \
         keeps them, such as `token`",
        host_and_port(&url.to_string())
    ))
}

fn from_server(written: &Written, folder: &Path) -> Result<Ready, String> {
    let server = written.server.as_deref().unwrap_or_default().trim().trim_end_matches('/');
    let server =
        if server.contains("://") { server.to_owned() } else { format!("https://{server}") };
    // Whatever it is, it may hold a password where none belongs: the text is not repeated.
    let url = server.parse().map_err(|error| format!("`server` is no URL: {error}"))?;
    let mut config = kube::Config::new(url);
    let mut secrets = Vec::new();
    let text = |error: crate::tls::TlsError| chain(&error);
    if let Some(authority) = &written.certificate_authority {
        let pem = authority.pem("the cluster's certificate authority", folder).map_err(text)?;
        config.root_cert = Some(certificates(&pem).iter().map(|der| der.to_vec()).collect());
    }
    if let Some(token) = &written.token {
        // A token file is read again by the client as it is rotated.
        if let SecretSource::File(path) = token {
            config.auth_info.token_file = Some(folder.join(path).display().to_string());
        }
        let token = token.read("the cluster's token", folder).map_err(|error| chain(&error))?;
        if config.auth_info.token_file.is_none() {
            config.auth_info.token = Some(SecretString::from(token.reveal().to_owned()));
        }
        secrets.push(token);
    }
    let identity = ClientIdentity::read(
        written.client_certificate.as_ref(),
        written.client_key.as_ref(),
        folder,
    );
    if let Some(identity) = identity.map_err(text)? {
        let auth = &mut config.auth_info;
        auth.client_certificate_data = Some(STANDARD.encode(&identity.certificate_pem));
        auth.client_key_data = Some(SecretString::from(STANDARD.encode(identity.key_pem.reveal())));
        secrets.push(identity.key_pem);
    }
    Ok(Ready { config, secrets, exec: None, strict: false })
}

async fn from_kubeconfig(path: &Path, written: &Written) -> Result<Ready, String> {
    let mut kubeconfig = Kubeconfig::read_from(path).map_err(|error| chain(&error))?;
    let context = written.context.clone().or_else(|| kubeconfig.current_context.clone());
    let names: Vec<&str> =
        kubeconfig.contexts.iter().map(|context| context.name.as_str()).collect();
    match &context {
        Some(context) if names.contains(&context.as_str()) => {}
        Some(context) => {
            return Err(format!(
                "`{}` has no context `{context}`; there are {}",
                path.display(),
                names.join(", ")
            ));
        }
        None => {
            return Err(format!(
                "`{}` has no current context; set `context` to one of {}",
                path.display(),
                names.join(", ")
            ));
        }
    }
    for cluster in kubeconfig.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        let written = cluster.proxy_url.as_deref().unwrap_or_default();
        if written.is_empty() {
            // Without one the environment would be asked, and that is nobody's setting.
            cluster.proxy_url = Some(NO_PROXY.to_owned());
        }
    }
    let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let mut config = config.map_err(|error| chain(&error))?;
    if config.proxy_url.take().is_some_and(|url| url != *NO_PROXY) {
        return Err(format!(
            "the cluster of `{}` has a `proxy-url`, and clusters can't be reached through a proxy \
             yet; take it out, or give another way to the cluster",
            path.display()
        ));
    }
    provided(&mut config.auth_info).map_err(|why| format!("`{}`: {why}", path.display()))?;
    if config.auth_info.exec.is_some() && !written.allow_exec {
        return Err(format!(
            "the context of `{}` gets its credentials by running a program; set \
             `allowExec: true` if this program may be run",
            path.display()
        ));
    }
    let secrets = secrets_of(&config);
    let auth = &mut config.auth_info;
    let others = auth.token.is_some()
        || auth.token_file.is_some()
        || auth.username.is_some() && auth.password.is_some();
    // Taken out, so that the client does not run the program by itself.
    let mut exec = auth.exec.take().filter(|_| !others);
    if let Some(cluster) = exec.as_mut().and_then(|exec| exec.cluster.as_mut()) {
        cluster.proxy_url = cluster.proxy_url.take().filter(|url| url != NO_PROXY);
    }
    Ok(Ready { config, secrets, exec, strict: false })
}

fn in_cluster() -> Result<Ready, String> {
    let config = kube::Config::incluster().map_err(|error| {
        format!(
            "not inside a cluster, or without a service account: {}; it reads \
             KUBERNETES_SERVICE_HOST and the files token and ca.crt in \
             /var/run/secrets/kubernetes.io/serviceaccount",
            chain(&error)
        )
    })?;
    let secrets = secrets_of(&config);
    Ok(Ready { config, secrets, exec: None, strict: false })
}

/// The older `auth-provider`, where it holds a token: that is a token like any other. Kubernetes
/// itself has no other kind any more.
fn provided(auth: &mut AuthInfo) -> Result<(), &'static str> {
    let Some(provider) = auth.auth_provider.take() else { return Ok(()) };
    let token = provider.config.get("id-token").or_else(|| provider.config.get("access-token"));
    let token = token.ok_or(
        "its `auth-provider` holds no token, and Kubernetes gave up running such providers in \
         1.26; let the user have an `exec` instead",
    )?;
    auth.token = Some(SecretString::from(token.clone()));
    Ok(())
}

/// The credentials in a client configuration that was not made from our own settings.
fn secrets_of(config: &kube::Config) -> Vec<Secret> {
    let auth = &config.auth_info;
    let mut secrets = Vec::new();
    let held = [&auth.token, &auth.password, &auth.client_key_data];
    for secret in held.into_iter().flatten() {
        secrets.push(Secret::new(secret.expose_secret().to_owned()));
    }
    if let (Some(user), Some(password)) = (&auth.username, &auth.password) {
        let pair = format!("{user}:{}", password.expose_secret());
        secrets.push(Secret::new(STANDARD.encode(&pair)));
        secrets.push(Secret::new(pair));
    }
    if let Some(path) = &auth.token_file
        && let Ok(token) = std::fs::read_to_string(path)
    {
        secrets.push(Secret::new(token));
    }
    secrets
}

/// `~/x` in the home folder, which only the environment knows.
fn expand_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    async fn fault(settings: Value) -> String {
        match read(&settings, Path::new("/nonexistent")).await {
            Ok(_) => String::new(),
            Err(error) => error,
        }
    }

    #[tokio::test]
    async fn what_can_not_be_meant_is_said() {
        let cases = [
            (json!({}), "exactly one of"),
            (json!({"server": "https://x", "inCluster": true}), "exactly one of"),
            (json!({"server": "http://x"}), "in clear"),
            (json!({"server": "https://u:hunter2@x"}), "`x:443` holds a user"),
            (json!({"server": "http://u:hunter2@x:80/p"}), "`x:80` holds a user"),
            (json!({"server": "u:hunter2@x"}), "`x:443` holds a user"),
            (json!({"server": "https://x/?token=hunter2"}), "`x:443` holds a user"),
            (json!({"server": "https://u:hunter2@ x"}), "`server` is no URL"),
            (json!({"server": "https://x", "clientCertificate": "x"}), "but no `clientKey`"),
            (json!({"server": "https://x", "clientKey": {"value": "x"}}), "no `clientCertificate`"),
            (json!({"server": "https://x", "tokn": 1}), "tokn"),
            (json!({"server": "https://x", "token": {"value": "a\nb"}}), "no header can carry"),
            (json!({"server": "https://x", "token": {"file": "gone"}}), "gone"),
            (json!({"kubeconfig": "gone"}), "gone"),
            (json!({"server": "https://x", "certificateAuthority": "nonsense"}), "PEM"),
        ];
        for (settings, expected) in cases {
            let error = fault(settings.clone()).await;
            assert!(error.contains(expected), "{settings}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[tokio::test]
    async fn k54_servers_are_normalised() {
        for (server, url) in [
            ("10.0.0.1:6443", "https://10.0.0.1:6443/"),
            ("https://[::1]:6443/prefix/", "https://[::1]:6443/prefix"),
        ] {
            let ready = read(&json!({"server": server}), Path::new("")).await.unwrap();
            assert_eq!(ready.config.cluster_url.to_string(), url);
        }
    }

    #[tokio::test]
    async fn a_password_in_the_address_of_a_kubeconfig_is_refused_and_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        for server in ["https://u:hunter2@x.example.com", "http://u:hunter2@x.example.com:443/p"] {
            let text = format!(
                "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: c, user: u}}}}]\nclusters: [{{name: c, cluster: {{server: '{server}'}}}}]\nusers: [{{name: u, user: {{token: t0ken}}}}]\n"
            );
            std::fs::write(folder.path().join("config"), text).unwrap();

            let refused =
                read(&json!({"kubeconfig": "config"}), folder.path()).await.err().unwrap();

            assert!(refused.contains("`x.example.com:443` holds a user"), "{refused}");
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }

    #[tokio::test]
    async fn k52_a_token_file_is_left_to_the_client_which_reads_it_again() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "first-token").unwrap();
        let settings = json!({"server": "https://x", "token": {"file": "token"}});

        let ready = read(&settings, folder.path()).await.unwrap();

        let auth = &ready.config.auth_info;
        assert_eq!(auth.token_file, Some(folder.path().join("token").display().to_string()));
        assert!(auth.token.is_none(), "a token that is held would hide the rotated one");
    }

    #[tokio::test]
    async fn k56_k57_a_kubeconfig_that_runs_programs_is_refused_unless_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let text = "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: 'https://x'}}]\nusers: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: evil, interactiveMode: Never}}}]\n";
        std::fs::write(folder.path().join("config"), text).unwrap();
        let settings = |extra: Value| {
            let mut settings = json!({"kubeconfig": "config"});
            settings.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            settings
        };

        let refused = read(&settings(json!({})), folder.path()).await.err().unwrap();
        let allowed = read(&settings(json!({"allowExec": true})), folder.path()).await;
        let other = read(&settings(json!({"context": "b"})), folder.path()).await.err().unwrap();

        assert!(refused.contains("allowExec"), "{refused}");
        assert!(allowed.is_ok());
        assert!(other.contains("there are a"), "{other}");
    }
}
