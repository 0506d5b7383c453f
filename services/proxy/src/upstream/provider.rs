//! One provider as it runs.

use std::sync::Arc;
use std::time::Duration;

use sanctum_http::hyper::Uri;
use sanctum_http::hyper::http::{HeaderName, HeaderValue};
use sanctum_http::{Origin, Reach as Addresses, Trust, header};
use sanctum_kernel::{Paths, SecretRef};
use sanctum_llm::Dialect;
use secrecy::ExposeSecret;
use tokio::sync::Semaphore;

use super::Breaker;
use crate::config::{self, Auth, Config, Kind, Locality, Ready, Speaks};

/// What is asked of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A completion, in this dialect.
    Complete(Dialect),
    CountTokens,
    Embeddings,
    Speech,
}

/// Why a provider cannot be asked at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unusable(pub(crate) String);

/// One provider. Its connections can only be reached by [`super::send`].
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) name: Arc<str>,
    pub(crate) kind: Kind,
    locality: Locality,
    /// Best first.
    pub(crate) speaks: Vec<Dialect>,
    pub(super) origin: Origin,
    /// The path before the dialect's own.
    base: String,
    chat: Uri,
    messages: Uri,
    responses: Uri,
    pub(super) auth: Auth,
    pub(super) key: Result<Option<HeaderValue>, Unusable>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) without_beta: Vec<String>,
    pub(crate) meters_streams: bool,
    pub(crate) first_byte: Duration,
    pub(crate) slow: Option<Duration>,
    pub(crate) breaker: Arc<Breaker>,
    pub(crate) turns: Option<Arc<Semaphore>>,
}

impl Provider {
    pub(crate) fn new(
        name: &str,
        given: &config::Provider,
        config: &Config,
        paths: &Paths,
        breaker: Arc<Breaker>,
    ) -> Result<Self, sanctum_kernel::Failure> {
        let sheet = given.like.and_then(Ready::sheet);
        let kind = given.kind.or(sheet.map(|sheet| sheet.kind)).unwrap_or(Kind::Openai);
        let locality = given.locality.or(sheet.map(|sheet| sheet.locality)).unwrap_or(Locality::Cloud);
        let url: Uri = given.url().unwrap_or_default().parse()?;
        let read = |secret: &Option<SecretRef>| match secret {
            Some(secret) => secret.resolve(paths).map(|pem| Some(pem.expose_secret().as_bytes().to_vec())),
            None => Ok(None),
        };
        let authorities = read(&given.ca)?;
        let identity = read(&given.client_certificate)?.zip(read(&given.client_key)?);
        let addresses = if locality == Locality::Local { Addresses::House } else { Addresses::World };
        let trust = Trust { authorities, identity };
        let origin = Origin::new(&url, addresses, trust, config.connect.0)?;
        let base = url.path().trim_end_matches('/').to_owned();
        let path = |end: &str| format!("{base}{end}").parse::<Uri>();
        let (chat, messages, responses) =
            (path("/chat/completions")?, path("/messages")?, path("/responses")?);
        let own = |speaks: &[Speaks]| speaks.iter().map(|speaks| speaks.dialect()).collect::<Vec<_>>();
        let ready = sheet.filter(|sheet| sheet.kind == kind).map(|sheet| sheet.speaks);
        let speaks = given.speaks.as_deref().or(ready).filter(|speaks| !speaks.is_empty());
        let auth = given.auth.or(sheet.filter(|sheet| sheet.kind == kind).map(|sheet| sheet.auth));
        let mut headers = Vec::new();
        for (name, value) in &given.headers {
            headers.push((name.parse::<HeaderName>()?, value.parse::<HeaderValue>()?));
        }
        // A key that is given is shown, also to a server that needs none.
        let auth = match auth.unwrap_or(kind.auth()) {
            Auth::None if given.key.is_some() => kind.auth(),
            auth => auth,
        };
        let wanted = given.key.clone().or_else(|| sheet.and_then(|sheet| sheet.key)?.parse().ok());
        Ok(Self {
            name: name.into(),
            kind,
            locality,
            speaks: own(speaks.unwrap_or(kind.speaks())),
            origin,
            base,
            chat,
            messages,
            responses,
            auth,
            key: key(wanted.as_ref().filter(|_| auth != Auth::None), auth, paths),
            headers,
            without_beta: given.without_beta.clone(),
            meters_streams: given.meters_streams.unwrap_or(true),
            first_byte: given.first_byte.unwrap_or(config.first_byte).0,
            slow: given.slow.or(config.breaker.slow).map(|period| period.0),
            breaker,
            turns: given.at_once.map(|most| Arc::new(Semaphore::new(most.max(1) as usize))),
        })
    }

    pub(crate) const fn locality(&self) -> Locality {
        self.locality
    }

    /// Why it cannot be asked, whatever for.
    pub(crate) fn unusable(&self) -> Option<&Unusable> {
        self.key.as_ref().err()
    }

    /// Connections that are open now.
    pub(crate) fn connections(&self) -> usize {
        self.origin.connections()
    }

    /// Which dialect a request goes out in: as it came if the provider takes that, else in the provider's best one.
    pub(crate) fn dialect_for(&self, client: Dialect) -> Dialect {
        if self.speaks.contains(&client) { client } else { self.speaks.first().copied().unwrap_or(client) }
    }

    pub(super) fn uri(&self, endpoint: Endpoint, model: &str, stream: bool, query: Option<&str>) -> Uri {
        let plain = match endpoint {
            Endpoint::Complete(Dialect::Chat) => Some(&self.chat),
            Endpoint::Complete(Dialect::Messages) => Some(&self.messages),
            Endpoint::Complete(Dialect::Responses) => Some(&self.responses),
            _ => None,
        };
        if let (Some(uri), None) = (plain, query) {
            return uri.clone();
        }
        let path = match endpoint {
            Endpoint::Complete(Dialect::Gemini) => {
                let verb = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
                format!("{}/models/{}:{verb}", self.base, sanctum_api::transport::escape(model))
            }
            Endpoint::CountTokens => format!("{}/messages/count_tokens", self.base),
            Endpoint::Embeddings => format!("{}/embeddings", self.base),
            Endpoint::Speech => format!("{}/audio/speech", self.base),
            Endpoint::Complete(_) => plain.map(|uri| uri.path().to_owned()).unwrap_or_default(),
        };
        let path = match query {
            Some(query) if !path.contains('?') => format!("{path}?{query}"),
            _ => path,
        };
        // Both parts have been URIs before.
        path.parse().unwrap_or_default()
    }

    /// How its key is shown.
    pub(super) fn auth_header(&self) -> HeaderName {
        match self.auth {
            Auth::XApiKey => HeaderName::from_static("x-api-key"),
            Auth::XGoogApiKey => HeaderName::from_static("x-goog-api-key"),
            Auth::Bearer | Auth::None => header::AUTHORIZATION,
        }
    }
}

/// The header's value with the key; a key that is not there closes the provider.
fn key(wanted: Option<&SecretRef>, auth: Auth, paths: &Paths) -> Result<Option<HeaderValue>, Unusable> {
    let Some(wanted) = wanted else {
        return if auth == Auth::None { Ok(None) } else { Err(Unusable("it has no `key`".to_owned())) };
    };
    let secret =
        wanted.resolve(paths).map_err(|error| Unusable(sanctum_kernel::Chain(&error).to_string()))?;
    let shown = match auth {
        Auth::Bearer => format!("Bearer {}", secret.expose_secret()),
        _ => secret.expose_secret().to_owned(),
    };
    let mut value = HeaderValue::from_str(&shown)
        .map_err(|_| Unusable(format!("the secret `{wanted}` has characters that no header may have")))?;
    value.set_sensitive(true);
    Ok(Some(value))
}
