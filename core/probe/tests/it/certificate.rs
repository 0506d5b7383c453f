//! Certificates that are valid, that expire soon, that have expired, that are not valid yet.

use std::sync::Arc;

use jiff::SignedDuration;
use rcgen::{CertificateParams, CertifiedKey, KeyPair, date_time_ymd};
use sanctum_kernel::Clock;
use sanctum_probe::Finding::{self, Drift, Fail, Pass};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use super::peer::{Peer, answer, answered, peer};
use super::{expect, eyes};

/// Valid from the first of January 2020 to that of 2030.
fn made() -> CertifiedKey<KeyPair> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2030, 1, 1);
    let signing_key = KeyPair::generate().unwrap();
    let cert = params.self_signed(&signing_key).unwrap();
    CertifiedKey { cert, signing_key }
}

async fn secure() -> Peer {
    let made = made();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config =
        config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key.into()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    peer(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                answer(&mut stream, &answered(200, "well")).await;
            }
        }
    })
    .await
}

/// How it looks on that day.
async fn on(day: &str, check: &str) -> (Finding, String) {
    let eyes = eyes();
    set(&eyes.clock, day);
    let answer = eyes.ask(check).await;
    (answer.finding, answer.detail)
}

fn set(clock: &Clock, day: &str) {
    let at: jiff::Timestamp = format!("{day}T12:00:00Z").parse().unwrap();
    clock.step(at.duration_since(clock.now()) + SignedDuration::ZERO);
}

#[tokio::test]
async fn a_certificate_that_is_shown_is_looked_at_whoever_signed_it() {
    let peer = secure().await;
    let shown = format!("timeout = \"5s\"\ncertificate = {{ address = \"localhost:{}\" }}", peer.addr.port());
    let longer = shown.replace(" }", ", min-left = \"365d\" }");
    for (day, check, finding, words) in [
        ("2027-06-01", &shown, Pass, "valid for"),
        ("2029-12-25", &shown, Drift, "expires in 6 d"),
        ("2029-06-01", &longer, Drift, "expires in"),
        ("2030-01-03", &shown, Fail, "expired 2 d ago"),
        ("2019-12-30", &shown, Fail, "becomes valid only in"),
    ] {
        let (is, detail) = on(day, check).await;
        assert_eq!(is, finding, "{day}: {detail}");
        assert!(detail.contains(words), "{day}: {detail}");
    }
    let plain = super::peer::peer(|mut stream| async move {
        use tokio::io::AsyncWriteExt;
        stream.write_all(answered(400, "speak plainly").as_bytes()).await.ok();
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    })
    .await;
    expect(
        &format!("timeout = \"2s\"\ncertificate = {{ address = \"{}\" }}", plain.addr),
        Fail,
        "no encrypted connection",
    )
    .await;
}

#[tokio::test]
async fn a_certificate_in_a_file_is_looked_at() {
    let eyes = eyes();
    let path = eyes.home.path().join("cert.pem");
    let asked = format!("certificate = {{ file = {path:?} }}");
    assert_eq!(eyes.ask(&asked).await.finding, Fail, "it is not there");
    sanctum_kernel::files::replace(&path, made().cert.pem().as_bytes(), 0o600).unwrap();
    set(&eyes.clock, "2027-01-01");
    let answer = eyes.ask(&asked).await;
    assert_eq!(answer.finding, Pass, "{}", answer.detail);
    assert!((1_000.0..1_100.0).contains(&answer.value.unwrap()), "{answer:?}");
    sanctum_kernel::files::replace(&path, b"-----BEGIN NONSENSE-----", 0o600).unwrap();
    assert_eq!(eyes.ask(&asked).await.finding, Fail);
}

#[tokio::test]
async fn an_encrypted_page_is_believed_only_if_somebody_vouches_for_it() {
    let peer = secure().await;
    let asked = |more: &str| {
        format!("timeout = \"5s\"\nhttp = {{ url = \"https://localhost:{}/\"{more} }}", peer.addr.port())
    };
    expect(&asked(""), Fail, "certificate").await;
    expect(&asked(", verify = false, body = \"well\""), Pass, "answered 200").await;
    let (is, detail) = on("2029-12-25", &asked(", verify = false, min-left = \"14d\"")).await;
    assert_eq!(is, Drift, "{detail}");
    let (is, detail) = on("2027-12-25", &asked(", verify = false, min-left = \"14d\"")).await;
    assert_eq!(is, Pass, "{detail}");
}
