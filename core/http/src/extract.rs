//! Reading requests, with errors that name the field.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use sanctum_api::Problem;
use sanctum_kernel::Right;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Refusal;

/// A JSON body, in and out.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let body = Bytes::from_request(request, state).await.map_err(|rejection| unreadable(&rejection))?;
        from_json(&body).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => Refusal::inside(&error).into_response(),
        }
    }
}

/// Reads JSON; the problem names the field, and line and column where the text itself is broken.
pub fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let body: &[u8] = if body.is_empty() { b"null" } else { body };
    // Keeping the path costs; it is only needed for saying what is wrong.
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let field = error.path().to_string();
        let inner = error.into_inner();
        let mut problem = if inner.is_data() {
            Problem::new(422, "bad-field", "the body does not have the right shape")
        } else {
            Problem::new(400, "bad-json", "the body is not JSON")
        };
        problem.field = (field != "." && field != "?").then_some(field);
        Refusal(problem.detail(inner.to_string()))
    })?;
    deserializer.end().map_err(|error| {
        Refusal(Problem::new(400, "bad-json", "there is something behind the JSON").detail(error.to_string()))
    })?;
    Ok(value)
}

fn unreadable(rejection: &axum::extract::rejection::BytesRejection) -> Refusal {
    let status = rejection.status().as_u16();
    Refusal(if status == 413 {
        too_large()
    } else {
        Problem::new(status, "unreadable", "the body could not be read").detail(rejection.body_text())
    })
}

pub(crate) fn too_large() -> Problem {
    Problem::new(413, "too-large", "the body is larger than this request may be")
}

pub(crate) fn nobody() -> Refusal {
    Refusal(Problem::new(401, "who", "this request needs a token"))
}

/// The query string.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(query) => Ok(Self(query.0)),
            Err(rejection) => Err(Refusal(
                Problem::new(422, "bad-query", "the query does not have the right shape")
                    .detail(rejection.body_text()),
            )),
        }
    }
}

/// Who calls, as their token says; put there by the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub name: String,
    pub right: Right,
    /// The agent it is, by its key, or in whose name one of the house's own asks (`x-sanctum-agent`).
    pub agent: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts.extensions.get::<Self>().cloned().ok_or_else(nobody)
    }
}
