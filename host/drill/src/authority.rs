//! A private certificate authority, made at start and forgotten at the end.
//!
//! Its key signs one server certificate and is dropped. Nothing is written to disk, and no
//! machine trusts it unless a client is handed [`Authority::ca_pem`].

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::net::IpAddr;
use std::sync::Arc;

/// Why the practice services could not get a certificate.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The certificates could not be made.
    #[error("can't make the practice certificates")]
    Certificate {
        /// What the certificate library said.
        #[source]
        source: rcgen::Error,
    },
    /// The certificates were made, but TLS could not be set up with them.
    #[error("can't set up TLS with the practice certificates")]
    Tls {
        /// What the TLS library said.
        #[source]
        source: rustls::Error,
    },
}

impl From<rcgen::Error> for AuthorityError {
    fn from(source: rcgen::Error) -> Self {
        Self::Certificate { source }
    }
}

impl From<rustls::Error> for AuthorityError {
    fn from(source: rustls::Error) -> Self {
        Self::Tls { source }
    }
}

/// What a server needs to show itself, and what a client needs to believe it.
pub(crate) struct Authority {
    /// The authority's certificate, PEM.
    pub(crate) ca_pem: String,
    /// The server's side of TLS: HTTP/1.1 only, no client certificates.
    pub(crate) tls: Arc<ServerConfig>,
}

impl Authority {
    /// Makes the authority and one certificate for loopback and `listen`.
    pub(crate) fn new(listen: IpAddr) -> Result<Self, AuthorityError> {
        let ca_key = KeyPair::generate()?;
        let ca_params = authority_params()?;
        let ca = ca_params.self_signed(&ca_key)?;
        let issuer = Issuer::new(ca_params, ca_key);
        let key = KeyPair::generate()?;
        let leaf = server_params(listen)?.signed_by(&key, &issuer)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { ca_pem: ca.pem(), tls: Arc::new(tls) })
    }
}

fn authority_params() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name.push(DnType::CommonName, "bowline practice authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn server_params(listen: IpAddr) -> Result<CertificateParams, rcgen::Error> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let own = listen.to_string();
    if !listen.is_unspecified() && !names.contains(&own) {
        names.push(own);
    }
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "bowline practice services");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_start_has_an_authority_of_its_own() {
        let listen: IpAddr = "127.0.0.1".parse().expect("an address");
        let one = Authority::new(listen).expect("an authority");
        let two = Authority::new(listen).expect("an authority");

        assert!(one.ca_pem.starts_with("-----BEGIN CERTIFICATE-----"), "{}", one.ca_pem);
        assert_ne!(one.ca_pem, two.ca_pem);
    }
}
