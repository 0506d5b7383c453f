//! Mail by SMTP, encrypted by STARTTLS or from the first byte (RFC 3207, RFC 8314).

use std::path::PathBuf;
use std::sync::Arc;

use futures_core::future::BoxFuture;
use lettre::message::{Mailbox, header::ContentType};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use sanctum_kernel::service::Complaint;
use sanctum_kernel::{Failure, SecretRef};
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::{Channel, Kind, Parts, Receipt, SendError};
use crate::message::{Message, Phase};

pub(crate) const SUMMARY: &str = "mail by SMTP, encrypted";

/// Mail by SMTP.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// The submission server.
    pub host: String,
    /// Its port: 587 with `starttls`, 465 with `implicit`.
    pub port: u16,
    /// `starttls` (default), `implicit`, or `none` for a server on this machine.
    pub tls: Encryption,
    /// Who logs in; nobody if absent.
    pub user: Option<String>,
    /// The password of `user`.
    pub password: Option<SecretRef>,
    /// The sender, such as `Sanctum <house@example.org>`.
    pub from: String,
    /// Who gets it.
    pub to: Vec<String>,
    /// A certificate authority (PEM) beside the system's, for a server of one's own.
    pub ca: Option<PathBuf>,
}

/// How the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    #[default]
    Starttls,
    Implicit,
    None,
}

impl Default for Config {
    fn default() -> Self {
        let (host, from) = (String::new(), String::new());
        Self { host, port: 587, tls: Encryption::Starttls, user: None, password: None, from, to: Vec::new(), ca: None }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("could not set up mail: {0}")]
struct Setup(String);

impl Kind for Config {
    fn build(&self, _: &str, parts: &Parts) -> Result<Arc<dyn Channel>, Failure> {
        let setup = |error: &dyn std::fmt::Display| Setup(error.to_string());
        let mut tls = TlsParameters::builder(self.host.clone());
        if let Some(ca) = &self.ca {
            let pem = sanctum_kernel::files::read(ca)?;
            tls = tls.add_root_certificate(Certificate::from_pem(pem.as_bytes()).map_err(|error| setup(&error))?);
        }
        let tls = || tls.build().map_err(|error| setup(&error));
        let tls = match self.tls {
            Encryption::Starttls => Tls::Required(tls()?),
            Encryption::Implicit => Tls::Wrapper(tls()?),
            Encryption::None => Tls::None,
        };
        let mut smtp = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(self.host.clone())
            .port(self.port)
            .tls(tls)
            .timeout(Some(parts.deadline));
        if let (Some(user), Some(password)) = (&self.user, &self.password) {
            let password = password.resolve(&parts.shared.paths)?;
            smtp = smtp.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
        }
        let mailbox = |text: &String| text.parse::<Mailbox>().map_err(|error| setup(&error));
        let to = self.to.iter().map(mailbox).collect::<Result<_, _>>()?;
        Ok(Arc::new(Email { smtp: smtp.build(), from: mailbox(&self.from)?, to }))
    }

    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        if self.host.is_empty() {
            complaints.push(Complaint::new(&["host"], "mail needs a server").hint("write `host = \"smtp.example.org\"`"));
        }
        for (field, text) in std::iter::once(("from", &self.from)).chain(self.to.iter().map(|to| ("to", to))) {
            if text.parse::<Mailbox>().is_err() {
                let complaint = Complaint::new(&[field], format!("`{text}` is not a mail address"));
                complaints.push(complaint.hint("write `Name <name@example.org>` or only the address"));
            }
        }
        if self.to.is_empty() {
            complaints.push(Complaint::new(&["to"], "nobody gets it").hint("write `to = [\"name@example.org\"]`"));
        }
        if self.user.is_some() != self.password.is_some() {
            complaints.push(Complaint::new(&["user"], "`user` and `password` come together").hint("give both, or neither"));
        }
        complaints
    }
}

struct Email {
    smtp: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

// The transport holds the password.
impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "mail from {}", self.from)
    }
}

impl Email {
    async fn post(&self, message: &Message) -> Result<Receipt, SendError> {
        let id = format!("<{}@sanctum>", message.key());
        let subject = format!("[{}] {}", message.severity().word(), message.title());
        let mut mail = lettre::Message::builder()
            .from(self.from.clone())
            .subject(subject.replace(['\r', '\n'], " "))
            .message_id(Some(id.clone()))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            mail = mail.to(to.clone());
        }
        if message.phase != Phase::Fire
            && let Some(before) = &message.before
        {
            mail = mail.in_reply_to(before.clone()).references(before.clone());
        }
        let url = message.notice.url.as_deref().map(|url| format!("\n\n{url}")).unwrap_or_default();
        let body = format!("{}{url}\n\n-- \n{} {} at {}\n", message.text(), message.notice.source, message.id, message.accepted);
        let mail = mail.body(body).map_err(|error| SendError::refused(error.to_string()))?;
        match self.smtp.send(mail).await {
            Ok(_) => Ok(Receipt { far_id: Some(id), confirmed: false }),
            // RFC 5321 §4.2.1: 5yz is for ever, 4yz for now.
            Err(error) if error.is_permanent() => Err(SendError::refused(error.to_string())),
            Err(error) => Err(SendError::later(sanctum_kernel::Chain(&error).to_string())),
        }
    }
}

impl Channel for Email {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(self.post(message))
    }

    fn check(&self) -> BoxFuture<'_, Result<String, SendError>> {
        Box::pin(async {
            match self.smtp.test_connection().await {
                Ok(true) => Ok("the server answers".to_owned()),
                Ok(false) => Err(SendError::later("the server does not answer")),
                Err(error) => Err(SendError::later(sanctum_kernel::Chain(&error).to_string())),
            }
        })
    }
}
