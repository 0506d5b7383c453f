//! An answer in one piece.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::http::{HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::Cut;

/// A body that is there from the beginning.
#[derive(Debug, Default)]
pub struct Whole(Bytes);

impl Whole {
    pub fn answer(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Self> {
        let mut response = Response::new(Self(body.into()));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    }
}

impl Body for Whole {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let body = std::mem::take(&mut self.0);
        Poll::Ready((!body.is_empty()).then(|| Ok(Frame::data(body))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.0.len()).unwrap_or(u64::MAX))
    }
}
