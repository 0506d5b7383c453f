//! Encrypted connections for those who look at servers instead of using them: what was shown matters as much as what is said.

use std::io;
use std::sync::{Arc, OnceLock};

use hyper_rustls::ConfigBuilderExt;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A TCP connection inside TLS.
pub type Encrypted = tokio_rustls::client::TlsStream<TcpStream>;

/// Whose certificates are good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// Those the system's authorities vouch for.
    System,
    /// Everybody's: for looking at a certificate, and for servers that sign their own.
    Nobody,
}

/// Shakes hands with `host`, whose name is not sent if it is an address (RFC 6066).
pub async fn encrypt(stream: TcpStream, host: &str, verify: Verify) -> io::Result<Encrypted> {
    static SYSTEM: OnceLock<Result<Arc<rustls::ClientConfig>, String>> = OnceLock::new();
    static NOBODY: OnceLock<Result<Arc<rustls::ClientConfig>, String>> = OnceLock::new();
    let cell = match verify {
        Verify::System => &SYSTEM,
        Verify::Nobody => &NOBODY,
    };
    let config = cell.get_or_init(|| configure(verify).map(Arc::new)).clone().map_err(io::Error::other)?;
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(config).connect(name, stream).await
}

/// The certificate that the server showed for itself, in DER.
pub fn shown(stream: &Encrypted) -> Option<&[u8]> {
    let (_, session) = stream.get_ref();
    session.peer_certificates()?.first().map(|certificate| &**certificate)
}

/// The first certificate of a PEM file, in DER.
pub fn pem_certificate(pem: &[u8]) -> Option<Vec<u8>> {
    CertificateDer::from_pem_slice(pem).ok().map(|certificate| certificate.to_vec())
}

fn configure(verify: Verify) -> Result<rustls::ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match verify {
        Verify::System => builder.with_native_roots().map_err(|error| error.to_string())?,
        Verify::Nobody => builder.dangerous().with_custom_certificate_verifier(Arc::new(Believer(provider))),
    };
    let mut config = builder.with_no_client_auth();
    // A look is one connection: what would make the next one cheaper only takes memory.
    config.resumption = rustls::client::Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Believes everybody.
#[derive(Debug)]
struct Believer(Arc<CryptoProvider>);

impl ServerCertVerifier for Believer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
