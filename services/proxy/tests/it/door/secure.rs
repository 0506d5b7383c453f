//! Providers behind TLS: a house's own authority, a certificate that must be shown, HTTP/2 where it is offered.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use sanctum_http::hyper::body::{Bytes, Incoming};
use sanctum_http::hyper::service::service_fn;
use sanctum_http::hyper::{Request, Response, Version, server};
use sanctum_kernel::files;
use sanctum_testkit::House;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::house::{CATALOGUE, chat, header, json_of, post, streamed};

/// What the peer saw of each request: the protocol, and whether a certificate was shown.
type Seen = Arc<Mutex<Vec<(Version, bool)>>>;

fn openssl(args: &[&str]) {
    let output = Command::new("openssl")
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("openssl is needed: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A certificate that signs itself, for `name`, as `NAME.pem` and `NAME.key`.
fn certificate(dir: &Path, name: &str) {
    let place = |ending: &str| dir.join(format!("{name}.{ending}")).display().to_string();
    let (subject, alternative) = (format!("/CN={name}"), format!("subjectAltName=DNS:{name}"));
    let (key, cert) = (place("key"), place("pem"));
    openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "30",
        "-subj",
        &subject,
        "-addext",
        &alternative,
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-keyout",
        &key,
        "-out",
        &cert,
    ]);
}

/// An OpenAI behind TLS that offers these protocols and, if so told, asks for the certificate of `client`.
#[expect(clippy::disallowed_methods, reason = "a peer of a test is no service")]
async fn peer(dir: &Path, offers: &[&str], client: bool, seen: &Seen) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = if client {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(dir.join("client.pem")).unwrap()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        config.with_client_cert_verifier(verifier)
    } else {
        config.with_no_client_auth()
    };
    let chain = vec![CertificateDer::from_pem_file(dir.join("localhost.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(dir.join("localhost.key")).unwrap();
    let mut config = config.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = offers.iter().map(|name| name.as_bytes().to_vec()).collect();
    let tls = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let seen = Arc::clone(seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, seen) = (tls.clone(), Arc::clone(&seen));
            tokio::spawn(async move {
                let Ok(stream) = tls.accept(stream).await else { return };
                let (_, session) = stream.get_ref();
                let shown = session.peer_certificates().is_some();
                let two = session.alpn_protocol() == Some(b"h2");
                let answer = service_fn(|request| answer(request, shown, Arc::clone(&seen)));
                let io = TokioIo::new(stream);
                if two {
                    server::conn::http2::Builder::new(TokioExecutor::new())
                        .serve_connection(io, answer)
                        .await
                        .ok();
                } else {
                    server::conn::http1::Builder::new().serve_connection(io, answer).await.ok();
                }
            });
        }
    });
    addr
}

async fn answer(
    request: Request<Incoming>,
    shown: bool,
    seen: Seen,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    seen.lock().unwrap().push((request.version(), shown));
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let ask: Value = serde_json::from_slice(&body).unwrap();
    let usage = json!({ "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5 });
    let response = if ask["stream"] == json!(true) {
        let chunk = |choices: Value, usage: &Value| {
            format!(
                "data: {}\n\n",
                json!({ "id": "c", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "m",
                        "choices": choices, "usage": usage })
            )
        };
        let said = json!([{ "index": 0, "delta": { "role": "assistant", "content": "Hello" }, "finish_reason": null }]);
        let end = json!([{ "index": 0, "delta": {}, "finish_reason": "stop" }]);
        let text = [
            chunk(said, &Value::Null),
            chunk(end, &Value::Null),
            chunk(json!([]), &usage),
            "data: [DONE]\n\n".into(),
        ];
        Response::builder().header("content-type", "text/event-stream").body(Full::from(text.concat()))
    } else {
        let message = json!({ "role": "assistant", "content": "Hello" });
        let text = json!({ "id": "c", "object": "chat.completion", "created": 1_700_000_000, "model": "m",
                           "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }], "usage": usage });
        Response::builder().header("content-type", "application/json").body(Full::from(text.to_string()))
    };
    Ok(response.unwrap())
}

fn config(addr: SocketAddr, more: &str) -> String {
    format!(
        "[proxy]\nconnect = \"5s\"\n[proxy.provider.far]\nkind = \"openai\"\nbase-url = \"https://localhost:{}/v1\"\n\
         auth = \"none\"\n{more}\n[proxy.model.m]\nprovider = \"far\"\nprice = {{ input = 1.0, output = 1.0 }}\n",
        addr.port()
    )
}

/// A house whose secrets are the certificates of `dir`.
async fn house(dir: &Path, config: &str) -> House {
    let stopped = House::new(&CATALOGUE).config(config);
    files::private_dir(&stopped.paths().secrets()).unwrap();
    for name in ["localhost.pem", "client.pem", "client.key"] {
        if let Ok(text) = std::fs::read(dir.join(name)) {
            files::replace(&stopped.paths().secrets().join(name), &text, 0o600).unwrap();
        }
    }
    stopped.start().await
}

#[tokio::test]
async fn each_protocol_that_is_offered_is_spoken_and_connections_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    certificate(dir.path(), "localhost");
    let cases: [(&[&str], Version); 3] =
        [(&["h2", "http/1.1"], Version::HTTP_2), (&["http/1.1"], Version::HTTP_11), (&[], Version::HTTP_11)];
    for (offers, version) in cases {
        let seen = Seen::default();
        let addr = peer(dir.path(), offers, false, &seen).await;
        let house = house(dir.path(), &config(addr, "ca = \"file:localhost.pem\"")).await;
        for _ in 0..2 {
            let answer = post(&house, "/v1/chat/completions", &chat("m", "hi")).await;
            assert_eq!(answer.status, 200, "{offers:?}: {}", String::from_utf8_lossy(&answer.body));
            assert_eq!(json_of(&answer)["choices"][0]["message"]["content"], "Hello");
            let answer = post(&house, "/v1/chat/completions", &streamed(chat("m", "hi"))).await;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(
                text.contains("Hello") && text.trim_end().ends_with("data: [DONE]"),
                "{offers:?}: {text}"
            );
        }
        assert_eq!(*seen.lock().unwrap(), [(version, false); 4], "{offers:?}");
        house.stop().await;
    }
}

#[tokio::test]
async fn a_certificate_that_must_be_shown_is_shown_and_without_it_nothing_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    certificate(dir.path(), "localhost");
    certificate(dir.path(), "client");
    let seen = Seen::default();
    let addr = peer(dir.path(), &["h2"], true, &seen).await;
    let shows = "ca = \"file:localhost.pem\"\nclient-certificate = \"file:client.pem\"\nclient-key = \"file:client.key\"";
    let with = house(dir.path(), &config(addr, shows)).await;
    assert_eq!(post(&with, "/v1/chat/completions", &chat("m", "hi")).await.status, 200);
    assert_eq!(*seen.lock().unwrap(), [(Version::HTTP_2, true)]);
    with.stop().await;
    let without = house(dir.path(), &config(addr, "ca = \"file:localhost.pem\"")).await;
    let answer = post(&without, "/v1/chat/completions", &chat("m", "hi")).await;
    assert!(answer.status >= 500, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(seen.lock().unwrap().len(), 1, "nobody was asked");
    without.stop().await;
}

#[tokio::test]
async fn an_authority_that_nobody_named_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    certificate(dir.path(), "localhost");
    let seen = Seen::default();
    let addr = peer(dir.path(), &["h2", "http/1.1"], false, &seen).await;
    let house = house(dir.path(), &config(addr, "")).await;
    let answer = post(&house, "/v1/chat/completions", &chat("m", "hi")).await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(answer.status >= 500 && text.contains("certificate"), "{}: {text}", answer.status);
    assert_eq!(header(&answer, "x-sanctum-served"), "");
    assert!(seen.lock().unwrap().is_empty(), "nothing was sent");
    house.stop().await;
}
