//! Mail: a submission server that insists on STARTTLS and a login, and refuses on cue.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sanctum_kernel::files;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::house::{CATALOGUE, NOON, all, at, notice, say, until, with};

type Mails = Arc<Mutex<Vec<String>>>;
type Codes = Arc<Mutex<Vec<&'static str>>>;

/// A certificate for `localhost` that signs itself.
fn certificate(dir: &Path) -> TlsAcceptor {
    let (key, cert) = (dir.join("key.pem"), dir.join("cert.pem"));
    let args = [
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
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ];
    let output = Command::new("openssl")
        .args(args)
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .expect("openssl is needed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let chain = vec![CertificateDer::from_pem_file(&cert).unwrap()];
    let config = config
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(&key).unwrap())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

#[expect(clippy::disallowed_methods, reason = "a peer of a test is no service")]
async fn server(tls: TlsAcceptor, mails: Mails, codes: Codes) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, mails, codes) = (tls.clone(), Arc::clone(&mails), Arc::clone(&codes));
            tokio::spawn(async move {
                let mut plain = BufReader::new(stream);
                plain.write_all(b"220 test\r\n").await.unwrap();
                let mut line = String::new();
                while plain.read_line(&mut line).await.unwrap_or(0) > 0 {
                    let answer = match line.get(..4) {
                        Some("EHLO") => "250-test\r\n250 STARTTLS\r\n",
                        Some("STAR") => {
                            plain.write_all(b"220 go\r\n").await.unwrap();
                            let Ok(secure) = tls.accept(plain.into_inner()).await else { return };
                            return talk(secure, mails, codes).await;
                        }
                        _ => "530 Must issue a STARTTLS command first\r\n",
                    };
                    plain.write_all(answer.as_bytes()).await.unwrap();
                    line.clear();
                }
            });
        }
    });
    addr
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin, mails: Mails, codes: Codes) {
    let mut stream = BufReader::new(stream);
    let (mut line, mut known, mut mail) = (String::new(), false, None::<String>);
    while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
        if let Some(text) = &mut mail {
            if line == ".\r\n" {
                mails.lock().unwrap().push(std::mem::take(text));
                mail = None;
                stream.write_all(b"250 taken\r\n").await.unwrap();
            } else {
                text.push_str(&line);
            }
            line.clear();
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let login = STANDARD.encode("\0house\0secret");
        let answer = match words[0] {
            "EHLO" => "250-test\r\n250 AUTH PLAIN LOGIN",
            "AUTH" if words.get(2) == Some(&login.as_str()) => {
                known = true;
                "235 welcome"
            }
            "AUTH" => "535 no",
            "MAIL" if !known => "530 authentication required",
            "RCPT" => codes.lock().unwrap().pop().unwrap_or("250 ok"),
            "DATA" => {
                mail = Some(String::new());
                "354 go on"
            }
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
        line.clear();
    }
}

#[tokio::test]
async fn mail_goes_encrypted_and_logged_in_and_its_end_as_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    let (mails, codes) = (Mails::default(), Codes::default());
    let addr = server(certificate(dir.path()), Arc::clone(&mails), Arc::clone(&codes)).await;
    let config = format!(
        "[house]\ntimezone = \"Europe/Paris\"\n[notify.delivery]\nfirst-wait = \"50ms\"\nbreaker-open = \"100ms\"\n[notify.trouble]\ndisk = 100\n[notify.roles]\nphone = [\"mail\"]\n\
         [notify.channel.email.mail]\nhost = \"localhost\"\nport = {}\nuser = \"house\"\npassword = \"file:mail\"\nfrom = \"Sanctum <house@example.org>\"\nto = [\"Ann <ann@example.org>\"]\nca = \"{}\"\n",
        addr.port(),
        dir.path().join("cert.pem").display()
    );
    let stopped = sanctum_testkit::House::new(&CATALOGUE).config(&config).clock(at(NOON));
    files::private_dir(&stopped.paths().secrets()).unwrap();
    files::replace(&stopped.paths().secrets().join("mail"), b"secret\n", 0o600).unwrap();
    let house = stopped.start().await;
    codes.lock().unwrap().push("450 mailbox busy");
    let said = say(&house, with(notice("error", "Water"), json!({ "dedup_key": "k" }))).await;
    let life = until(&house, &said["id"], "sent", |life| all(life, "mail", "delivered")).await;
    assert_eq!(life["deliveries"][0]["attempts"].as_array().unwrap().len(), 2, "450 is for now: {life}");
    let mail = mails.lock().unwrap()[0].clone();
    assert!(mail.contains("Subject: [error] Water") && mail.contains("what happened"), "{mail}");
    let id = life["deliveries"][0]["attempts"][1]["far_id"].as_str().unwrap().to_owned();
    assert!(mail.contains(&format!("Message-ID: {id}")), "{mail}");
    let end = say(&house, with(notice("error", "Dry"), json!({ "dedup_key": "k", "resolved": true }))).await;
    until(&house, &end["id"], "sent", |life| all(life, "mail", "delivered")).await;
    assert!(mails.lock().unwrap()[1].contains(&format!("In-Reply-To: {id}")));
    codes.lock().unwrap().push("550 no such user");
    let refused = say(&house, notice("error", "Nobody")).await;
    let life = until(&house, &refused["id"], "refused", |life| all(life, "mail", "dead")).await;
    assert_eq!(life["deliveries"][0]["attempts"].as_array().unwrap().len(), 1, "550 is for ever");
    house.stop().await;
}
