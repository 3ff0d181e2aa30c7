//! Certificates: a private authority, a client certificate, and the one crypto provider.

use crate::secret_source::{SecretError, SecretSource, read_file};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use effects::Secret;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Once;

/// A certificate or several: a file, or the text itself, as PEM or base64 of PEM.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum CertificateSource {
    /// A file.
    File {
        /// Relative paths start from the settings file's folder.
        file: PathBuf,
    },
    /// The text.
    Text(String),
}

/// A certificate or key can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// The file can't be read.
    #[error(transparent)]
    Read(#[from] SecretError),
    /// Not a certificate.
    #[error("{what} is neither PEM nor base64 of PEM with at least one certificate")]
    Certificate {
        /// Which.
        what: &'static str,
    },
    /// A certificate without its key, or the reverse.
    #[error("there is a `{set}` but no `{missing}`; a client certificate needs both")]
    Half {
        /// The setting that is there.
        set: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
}

/// A client certificate with its key, as one PEM text.
pub(crate) struct ClientIdentity {
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: Secret,
}

impl CertificateSource {
    /// PEM text with at least one certificate.
    pub(crate) fn pem(&self, what: &'static str, folder: &Path) -> Result<String, TlsError> {
        let text = match self {
            Self::File { file } => read_file(&folder.join(file), what)?,
            Self::Text(text) => text.clone(),
        };
        let pem =
            if text.contains("-----BEGIN") { text } else { decode(&text).unwrap_or_default() };
        if certificates(&pem).is_empty() {
            return Err(TlsError::Certificate { what });
        }
        Ok(pem)
    }
}

impl ClientIdentity {
    /// Both parts, if they are set. One alone is a mistake: without the other it proves nothing.
    pub(crate) fn read(
        certificate: Option<&CertificateSource>,
        key: Option<&SecretSource>,
        folder: &Path,
    ) -> Result<Option<Self>, TlsError> {
        const CERTIFICATE: &str = "clientCertificate";
        const KEY: &str = "clientKey";
        let (certificate, key) = match (certificate, key) {
            (Some(certificate), Some(key)) => (certificate, key),
            (None, None) => return Ok(None),
            (Some(_), None) => return Err(TlsError::Half { set: CERTIFICATE, missing: KEY }),
            (None, Some(_)) => return Err(TlsError::Half { set: KEY, missing: CERTIFICATE }),
        };
        let certificate_pem = certificate.pem("the client certificate", folder)?;
        let key_pem = key.read("the client certificate's key", folder)?;
        Ok(Some(Self { certificate_pem, key_pem }))
    }
}

/// The certificates in a PEM text; what only looks like one is left out.
pub(crate) fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .filter_map(Result::ok)
        .filter(|der| rustls::RootCertStore::empty().add(der.clone()).is_ok())
        .collect()
}

fn decode(text: &str) -> Option<String> {
    let compact: String = text.split_whitespace().collect();
    String::from_utf8(STANDARD.decode(compact).ok()?).ok()
}

/// Makes ring the process's crypto provider, once. Both clients build on the process's default.
pub(crate) fn install_crypto_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Fails only if somebody was faster, with the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_certificate_without_its_key_is_a_mistake_and_so_is_the_reverse() {
        let certificate = CertificateSource::Text("x".to_owned());
        let key = SecretSource::Value("x".to_owned());
        let cases = [
            (Some(&certificate), None, "there is a `clientCertificate` but no `clientKey`"),
            (None, Some(&key), "there is a `clientKey` but no `clientCertificate`"),
        ];
        for (certificate, key, expected) in cases {
            let error = ClientIdentity::read(certificate, key, Path::new("")).err().unwrap();
            assert!(error.to_string().starts_with(expected), "{error}");
        }
        assert!(ClientIdentity::read(None, None, Path::new("")).unwrap().is_none());
    }

    #[test]
    fn pem_and_base64_of_pem_are_taken_and_nothing_else() {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["a".to_owned()]).unwrap();
        let pem = certificate.self_signed(&key).unwrap().pem();
        let folder = Path::new("");

        assert!(CertificateSource::Text(pem.clone()).pem("ca", folder).is_ok());
        assert_eq!(CertificateSource::Text(STANDARD.encode(&pem)).pem("ca", folder).unwrap(), pem);
        for wrong in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"] {
            let wrong = CertificateSource::Text(wrong.to_owned());
            assert!(wrong.pem("ca", folder).is_err(), "{wrong:?}");
        }
    }
}
