//! HTTP as every service speaks it: routes with rights and descriptions, problems, events, and clients.
//!
//! The only crate that names axum, hyper and rustls.

mod client;
mod extract;
mod feed;
mod gate;
mod guard;
mod model;
mod openapi;
mod origin;
mod outbound;
mod patient;
mod refusal;
mod routes;
mod serve;
mod sse;
mod tell;
mod tls;
mod whole;

pub use axum;
pub use axum::extract::{Path, State};
pub use axum::http::{HeaderMap, StatusCode, header};
pub use axum::response::{Html, IntoResponse, Redirect, Response};
pub use bytes::Bytes;
pub use client::{connect, transport, transport_within};
pub use extract::{Caller, Json, Query, from_json};
pub use feed::{Feed, Published};
pub use gate::Gate;
pub use guard::{Guests, LOOPBACK};
pub use http_body_util::Full;
pub use hyper;
pub use hyper::body::{Body, Frame, Incoming, SizeHint};
pub use model::{ModelError, Question, ask_model};
pub use origin::{BadOrigin, Origin, Reach, Received, SendError, Trust};
pub use outbound::{Answer, Outbound, OutboundError, Outgoing, Streaming};
pub use refusal::Refusal;
pub use routes::{Op, Routes};
pub use serve::{Cut, Fast, Manner, Mixed, serve, serve_with};
pub use sse::{LastEventId, events};
pub use tell::{tell, tell_once};
pub use tls::{Encrypted, Verify, encrypt, pem_certificate, shown};
pub use whole::Whole;
