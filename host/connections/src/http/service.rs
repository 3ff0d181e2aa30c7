//! The client of one HTTP connection: its base URL, its credentials, its TLS.

use super::target::Target;
use super::{body, request};
use crate::address::Guard;
use crate::inflow::{self, ACCEPTED_ENCODING, Patience};
use crate::profile::{Credential, Profile};
use crate::secret_source::SecretSource;
use crate::tls::{CertificateSource, ClientIdentity, certificates, install_crypto_provider};
use crate::transport::{address_denied, fault, host_and_port};
use crate::{credential_forms, echo};
use effects::{Answer, Layer, Needles, Secret, SendError};
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Url};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// One HTTP connection, ready to send.
pub(crate) struct HttpService {
    client: Client,
    base: Url,
    /// With every request; values are marked as sensitive.
    injected: HeaderMap,
    /// Into every JSON body, by the member's name.
    members: Vec<(String, Secret)>,
    /// Unless the guest sends its own.
    defaults: HeaderMap,
    guard: Guard,
    patience: Patience,
    /// Whether an answer that echoes a credential is withheld.
    strict: bool,
    pub(crate) needles: Arc<Needles>,
    pub(crate) profile: Arc<Profile>,
}

/// What the operator sets for any HTTP connection.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Common {
    base_url: Option<String>,
    certificate_authority: Option<CertificateSource>,
    client_certificate: Option<CertificateSource>,
    client_key: Option<SecretSource>,
    allow_cleartext: bool,
    proxy: Option<ProxySource>,
    headers: BTreeMap<String, HeaderSource>,
    strict: bool,
}

/// The URL of a proxy, which may hold a password: the text, or where it is kept.
#[derive(Deserialize)]
#[serde(untagged)]
enum ProxySource {
    Text(String),
    Kept(SecretSource),
}

/// The value of a header: a text that is no secret, such as a tenant, or where a credential is.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "the value of a header in `headers` is `{env: NAME}` or `{file: PATH}`, or a text \
                 if it is no secret"
)]
enum HeaderSource {
    Plain(String),
    Kept(SecretSource),
}

const COMMON_KEYS: &[&str] = &[
    "allowCleartext",
    "baseUrl",
    "certificateAuthority",
    "clientCertificate",
    "clientKey",
    "headers",
    "proxy",
    "strict",
];

/// What the operator set, sorted by what it is.
struct Read {
    common: Common,
    parameters: BTreeMap<String, String>,
    credentials: BTreeMap<String, SecretSource>,
}

impl HttpService {
    /// Builds the client. Reads credentials and certificates; sends nothing.
    pub(crate) fn new(
        profile: &Arc<Profile>,
        settings: &Value,
        folder: &Path,
    ) -> Result<Self, String> {
        Self::with_patience(profile, settings, folder, Patience::default())
    }

    fn with_patience(
        profile: &Arc<Profile>,
        settings: &Value,
        folder: &Path,
        patience: Patience,
    ) -> Result<Self, String> {
        let read = sort(profile, settings)?;
        let base = profile.base_url(read.common.base_url.as_deref(), &read.parameters)?;
        let base = base_url(&base, read.common.allow_cleartext)?;
        let Injected { headers: injected, members, mut secrets } =
            injected(profile, &read, folder)?;
        let mut defaults = HeaderMap::new();
        for (name, value) in &profile.headers {
            let value =
                HeaderValue::from_str(value).map_err(|e| format!("header `{name}`: {e}"))?;
            defaults.insert(header_name(name)?, value);
        }
        let proxy = proxy(&read.common, folder)?;
        let guard = guard(profile, &read.common, &base, proxy.as_ref());
        if let Some(proxy) = &proxy {
            secrets.extend(credential_forms::of_url(proxy.reveal()));
        }
        let strict = read.common.strict;
        let client = client(&read.common, folder, proxy.as_ref(), &guard, patience)?;
        let needles = Arc::new(Needles::new(&secrets));
        let profile = Arc::clone(profile);
        Ok(Self {
            client,
            base,
            injected,
            members,
            defaults,
            guard,
            patience,
            strict,
            needles,
            profile,
        })
    }

    /// Whether the guest's body can take what this connection puts into bodies. Reveals nothing.
    pub(crate) fn check_body(&self, body: Option<&[u8]>) -> Result<(), effects::CallError> {
        let names = self.members.iter().map(|(name, _)| name.as_str());
        body.map_or(Ok(()), |body| body::check(body, names))
    }

    /// The headers that carry credentials: a guest may not send its own.
    pub(crate) fn injected(&self) -> &HeaderMap {
        &self.injected
    }

    /// The places of the credentials that are added to each request, without their values.
    pub(crate) fn credential_names(&self) -> Vec<String> {
        let headers = self.injected.keys().map(|name| format!("header {name}"));
        let members = self.members.iter().map(|(name, _)| format!("member {name} of the body"));
        headers.chain(members).collect()
    }

    /// `target` on this connection's server.
    pub(crate) fn url(&self, target: Target<'_>) -> Result<Url, effects::CallError> {
        target.below(&self.base)
    }

    /// Where the connection leads, for people.
    pub(crate) fn address(&self) -> &str {
        self.base.as_str()
    }

    /// Sends one request with the credentials, and reads at most `bytes_max` of the answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: Url,
        mut headers: HeaderMap,
        body: Option<Vec<u8>>,
        bytes_max: u64,
    ) -> Result<Answer, SendError> {
        let host = url.host_str().unwrap_or_default();
        self.guard.check_literal(host).map_err(|denied| address_denied(&denied))?;
        for (name, value) in &self.defaults {
            headers.entry(name).or_insert_with(|| value.clone());
        }
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED_ENCODING));
        headers.extend(self.injected.clone());
        let mut request = self.client.request(method, url).headers(headers);
        if let Some(mut body) = body {
            for (name, secret) in &self.members {
                body = body::with_member(&body, name, secret.reveal());
            }
            request = request.body(body);
        }
        let response = self.patience.first(request.send()).await?;
        let response: http::Response<reqwest::Body> =
            response.map_err(|error| self.failed(error))?.into();
        let (head, body) = response.into_parts();
        let headers = request::visible(&head.headers, &self.injected)?;
        let failed = |error| self.failed(error);
        let body = inflow::read(body, &head.headers, bytes_max, self.patience, failed).await?;
        let answer = Answer { status: head.status.as_u16(), headers, body };
        echo::examine(&self.needles, self.strict, &host_and_port(self.base.as_str()), answer)
    }

    fn failed(&self, error: reqwest::Error) -> SendError {
        let (connecting, timeout) = (error.is_connect(), error.is_timeout());
        // The URL may hold what an operator put there; the journal knows the path already.
        fault(&error.without_url(), &host_and_port(self.base.as_str()), connecting, timeout)
    }
}

/// Tells what each key of the settings is. A key that means nothing is a mistake.
fn sort(profile: &Profile, settings: &Value) -> Result<Read, String> {
    let Some(object) = settings.as_object() else {
        return Err("its settings are not a mapping".to_owned());
    };
    let common = Common::deserialize(settings).map_err(|error| error.to_string())?;
    let mut read = Read { common, parameters: BTreeMap::new(), credentials: BTreeMap::new() };
    for (key, value) in object {
        if profile.credentials.contains_key(key) {
            let source = SecretSource::deserialize(value).map_err(|_| {
                format!("`{key}` must say where it is: `{{env: NAME}}` or `{{file: PATH}}`")
            })?;
            read.credentials.insert(key.clone(), source);
        } else if profile.settings.contains_key(key) {
            let text = value.as_str().ok_or_else(|| format!("`{key}` must be a text"))?;
            read.parameters.insert(key.clone(), text.to_owned());
        } else if !COMMON_KEYS.contains(&key.as_str()) {
            let known = profile.credentials.keys().chain(profile.settings.keys());
            let known: Vec<&str> =
                known.map(String::as_str).chain(COMMON_KEYS.iter().copied()).collect();
            return Err(format!("`{key}` means nothing here; there are {}", known.join(", ")));
        }
    }
    Ok(read)
}

/// Where the credentials go.
#[derive(Default)]
struct Injected {
    headers: HeaderMap,
    members: Vec<(String, Secret)>,
    /// All of them, for the redactor.
    secrets: Vec<Secret>,
}

/// The credentials of the connection, each in its place.
fn injected(profile: &Profile, read: &Read, folder: &Path) -> Result<Injected, String> {
    let mut injected = Injected::default();
    for (name, credential) in &profile.credentials {
        let default = credential.default_env.clone().map(SecretSource::Env);
        let Some(source) = read.credentials.get(name).or(default.as_ref()) else {
            if credential.optional {
                continue;
            }
            return Err(format!("it needs `{name}`: `{{env: NAME}}` or `{{file: PATH}}`"));
        };
        let secret = source.read(&format!("the {name} of the connection"), folder);
        let secret = secret.map_err(|error| crate::transport::chain(&error))?;
        place(&mut injected, name, credential, &secret)?;
        let sent = zeroize::Zeroizing::new(format!("{}{}", credential.prefix, secret.reveal()));
        injected.secrets.extend(credential_forms::of_header(&sent));
        injected.secrets.push(secret);
    }
    for (name, source) in &read.common.headers {
        let source = match source {
            HeaderSource::Kept(source) => source,
            HeaderSource::Plain(text) => {
                plain_header(&mut injected.headers, name, text)?;
                continue;
            }
        };
        let secret = source.read(&format!("the header `{name}` of the connection"), folder);
        let secret = secret.map_err(|error| crate::transport::chain(&error))?;
        inject(&mut injected.headers, name, "", &secret)
            .map_err(|()| format!("the header `{name}` can't be sent"))?;
        injected.secrets.extend(credential_forms::of_header(secret.reveal()));
    }
    Ok(injected)
}

/// A header that tells no secret: what it says may be seen anywhere.
fn plain_header(headers: &mut HeaderMap, name: &str, text: &str) -> Result<(), String> {
    let cant = |_| format!("the header `{name}` can't be sent");
    let parsed = header_name(name).map_err(cant)?;
    if request::carries_credentials(&parsed) {
        return Err(format!(
            "the header `{name}` carries a credential, and a plain text is shown to steps: \
             write `{{env: NAME}}` or `{{file: PATH}}`"
        ));
    }
    let value = HeaderValue::from_str(text);
    headers.insert(parsed, value.map_err(|_| cant(String::new()))?);
    Ok(())
}

fn place(
    injected: &mut Injected,
    name: &str,
    credential: &Credential,
    secret: &Secret,
) -> Result<(), String> {
    if let Some(header) = &credential.header {
        inject(&mut injected.headers, header, &credential.prefix, secret)
            .map_err(|()| format!("`{name}` holds characters that no header can carry"))?;
    }
    if let Some(member) = &credential.json_member {
        let text = format!("{}{}", credential.prefix, secret.reveal());
        injected.members.push((member.clone(), Secret::new(text)));
    }
    Ok(())
}

/// Puts a credential into the one header that carries it.
fn inject(headers: &mut HeaderMap, name: &str, prefix: &str, secret: &Secret) -> Result<(), ()> {
    let name = header_name(name).map_err(|_| ())?;
    let text = zeroize::Zeroizing::new(format!("{prefix}{}", secret.reveal()));
    let mut value = HeaderValue::from_str(&text).map_err(|_| ())?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

fn header_name(name: &str) -> Result<HeaderName, String> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` can't name a header"))
}

fn base_url(text: &str, allow_cleartext: bool) -> Result<Url, String> {
    let text = text.trim();
    // Whatever it is, it may hold a password where none belongs: the text is not repeated.
    let url = Url::parse(text).map_err(|error| format!("`baseUrl` is no URL: {error}"))?;
    let place = host_and_port(text);
    match url.scheme() {
        "https" => {}
        "http" if allow_cleartext => {}
        "http" => {
            return Err(format!(
                "`baseUrl` ({place}) would send the credentials in clear; use https, or set `allowCleartext: true`"
            ));
        }
        other => return Err(format!("`baseUrl` ({place}): `{other}` is neither https nor http")),
    }
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if url.host_str().is_none() || !plain || url.fragment().is_some() {
        return Err("a base URL has a host, perhaps a path, and nothing else".to_owned());
    }
    Ok(url)
}

/// The URL of the connection's proxy, if there is one.
fn proxy(common: &Common, folder: &Path) -> Result<Option<Secret>, String> {
    match &common.proxy {
        None => Ok(None),
        Some(ProxySource::Text(text)) => Ok(Some(Secret::new(text.clone()))),
        Some(ProxySource::Kept(source)) => {
            let url = source.read("the URL of the connection's proxy", folder);
            url.map(Some).map_err(|error| crate::transport::chain(&error))
        }
    }
}

/// Who may be in a private network: the hosts that the operator wrote.
fn guard(profile: &Profile, common: &Common, base: &Url, proxy: Option<&Secret>) -> Guard {
    let base = base.host_str().filter(|_| common.base_url.is_some() || !profile.built_in);
    let proxy = proxy.and_then(|proxy| Url::parse(proxy.reveal()).ok());
    Guard::new(base.into_iter().chain(proxy.as_ref().and_then(Url::host_str)))
}

/// A client that trusts what the connection says, follows nothing and keeps to itself.
fn client(
    common: &Common,
    folder: &Path,
    proxy: Option<&Secret>,
    guard: &Guard,
    patience: Patience,
) -> Result<Client, String> {
    install_crypto_provider();
    let text = |error: crate::tls::TlsError| crate::transport::chain(&error);
    let failed = |error: reqwest::Error| crate::transport::chain(&error.without_url());
    let redirects = if Layer::Redirect.on() {
        reqwest::redirect::Policy::none()
    } else {
        reqwest::redirect::Policy::default()
    };
    let mut builder = Client::builder()
        .user_agent(concat!("bowline/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(patience.connect)
        .redirect(redirects)
        .referer(false)
        .retry(reqwest::retry::never())
        // An answer is decoded where it is bounded.
        .no_gzip()
        .dns_resolver(guard.clone())
        // What the environment says of proxies is nobody's setting.
        .no_proxy();
    if let Some(proxy) = proxy {
        let proxy = reqwest::Proxy::all(proxy.reveal());
        builder = builder.proxy(proxy.map_err(|_| "`proxy` is no URL of a proxy".to_owned())?);
    }
    if let Some(authority) = &common.certificate_authority {
        let pem = authority.pem("the certificate authority", folder).map_err(text)?;
        let roots = certificates(&pem);
        let roots = roots.iter().filter_map(|der| reqwest::Certificate::from_der(der).ok());
        builder = builder.tls_certs_only(roots);
    }
    let identity = ClientIdentity::read(
        common.client_certificate.as_ref(),
        common.client_key.as_ref(),
        folder,
    );
    if let Some(identity) = identity.map_err(text)? {
        let pem = format!("{}\n{}\n", identity.key_pem.reveal(), identity.certificate_pem);
        let pem = zeroize::Zeroizing::new(pem);
        builder = builder.identity(reqwest::Identity::from_pem(pem.as_bytes()).map_err(failed)?);
    }
    builder.build().map_err(failed)
}

#[cfg(test)]
mod tests;
