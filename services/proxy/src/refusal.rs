//! Why a client gets no answer, in the words of the API it called.

use std::time::Duration;

use sanctum_http::Bytes;
use sanctum_http::HeaderMap;
use sanctum_http::header;
use sanctum_http::hyper::http::{HeaderValue, Response, StatusCode};
use sanctum_llm::{Dialect, Fault, FaultKind, Malformed};

use crate::account::Account;
use crate::ask::Api;
use crate::body::OutBody;
use crate::upstream::returned;
use crate::usage::Finish;

/// A refusal of this house, or the failure of the last provider that was asked.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) fault: Fault,
    pub(crate) retry_after: Option<Duration>,
    /// Whether the same request may succeed later; told to clients in `x-should-retry`.
    pub(crate) retry: Option<bool>,
    /// The provider's own answer, where the client speaks its dialect.
    pub(crate) raw: Option<Box<(HeaderMap, Bytes)>>,
    /// The provider's headers, where the client speaks another dialect.
    pub(crate) headers: Option<Box<HeaderMap>>,
    pub(crate) finish: Finish,
}

impl Refusal {
    pub(crate) fn new(status: u16, kind: FaultKind, code: &str, message: impl Into<String>) -> Self {
        let fault = Fault { status, code: Some(code.to_owned()), ..Fault::new(kind, message) };
        Self { fault, retry_after: None, retry: None, raw: None, headers: None, finish: Finish::Refused }
    }

    pub(crate) fn invalid(code: &str, message: impl Into<String>) -> Self {
        Self::new(400, FaultKind::Invalid, code, message)
    }

    pub(crate) fn param(mut self, param: &str) -> Self {
        self.fault.param = (!param.is_empty()).then(|| param.to_owned());
        self
    }

    pub(crate) const fn never_again(mut self) -> Self {
        self.retry = Some(false);
        self
    }

    pub(crate) const fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Ends the account and answers.
    pub(crate) fn respond(self, api: Api, mut account: Box<Account>) -> Response<OutBody> {
        let trace = account.trace().to_string();
        let code = self.fault.code.clone().unwrap_or_default();
        account.gate.house.meters.refused(&code);
        let mut headers = HeaderMap::with_capacity(16);
        let status = match (self.fault.kind, self.fault.status, api.dialect()) {
            _ if self.raw.is_some() => self.fault.status,
            // Clients of Anthropic know an overload by its own status, everybody else by HTTP's.
            // That nobody in the house can answer is not that somebody has too much to do.
            (FaultKind::Overloaded, 503, Dialect::Messages)
                if self.fault.code.as_deref() != Some("no_local_seat") =>
            {
                529
            }
            (FaultKind::Overloaded, 529, Dialect::Chat | Dialect::Responses | Dialect::Gemini) => 503,
            (_, status, _) => status,
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        let body = if let Some(raw) = self.raw {
            returned(&raw.0, &mut headers);
            raw.1
        } else {
            if let Some(from) = &self.headers {
                returned(from, &mut headers);
            }
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Bytes::from(write(api.dialect(), &self.fault, &trace))
        };
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.entry(header::RETRY_AFTER).or_insert(HeaderValue::from(seconds));
        }
        if let Some(retry) = self.retry {
            headers.insert("x-should-retry", HeaderValue::from_static(if retry { "true" } else { "false" }));
        }
        account.end(self.finish, status.as_u16(), Some(self.fault.message));
        crate::body::mark(&mut headers, &account);
        let mut response = Response::new(OutBody::Whole(Some(body)));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        let message = if malformed.field.is_empty() {
            malformed.reason.clone()
        } else {
            format!("{}: {}", malformed.field, malformed.reason)
        };
        Self::invalid("invalid_request", message).param(&malformed.field)
    }
}

/// A failure as clients of a dialect read it.
pub(crate) fn write(dialect: Dialect, fault: &Fault, trace: &str) -> Vec<u8> {
    let mut told = fault.clone();
    told.request_id.get_or_insert_with(|| trace.to_owned());
    dialect.codec().write_fault(&told)
}
