//! Problems as answers.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sanctum_api::{CallError, Problem};
use sanctum_kernel::{Chain, Trace};

use crate::Whole;

/// What a handler fails with: an RFC 9457 problem.
#[derive(Debug)]
pub struct Refusal(pub Problem);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

/// A service behind this one failed: its own problem if it is the caller's to mend, 502 otherwise.
impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused { problem, .. } if problem.status < 500 => Self(*problem),
            other => Self(
                Problem::new(502, "peer-failed", "a service behind this one failed")
                    .detail(Chain(&other).to_string()),
            ),
        }
    }
}

impl Refusal {
    /// Something inside failed: 500 for the caller, the whole chain in the log only.
    pub fn inside(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %Chain(error), "a request failed inside");
        let problem = Problem::new(500, "inside", "something inside failed");
        Self(match sanctum_kernel::hint(error) {
            Some((hint, _)) => problem.hint(hint),
            None => problem,
        })
    }
}

impl Refusal {
    /// The answer, in one piece.
    pub fn whole(self) -> axum::http::Response<Whole> {
        let mut problem = self.0;
        problem.trace_id.get_or_insert_with(|| Trace::current().id().to_string());
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Whole::answer(
            status,
            "application/problem+json",
            serde_json::to_vec(&problem).unwrap_or_default(),
        );
        let headers = response.headers_mut();
        match status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            // Whoever is refused so is told how to come in (RFC 9110 §11.6.1).
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.whole().map(Body::new)
    }
}
