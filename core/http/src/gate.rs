//! The way in of one operation for requests that are answered before the routes.

use std::sync::Arc;

use axum::http::{Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use sanctum_api::Problem;
use tracing::Instrument;

use crate::guard::{Door, Hosts, Story};
use crate::{Caller, HeaderMap, Refusal, Whole, extract};

/// Asks of a request everything its route would: story, name of the host, token, right, size, time; and counts it there.
#[derive(Debug, Clone)]
pub struct Gate {
    pub(crate) hosts: Hosts,
    pub(crate) door: Door,
    pub(crate) limit: usize,
}

impl Gate {
    /// Answers with what `work` makes of who asks, the headers, and the body or why there is none. A route that is open to
    /// anybody has no gate.
    pub fn pass<F>(
        self: Arc<Self>,
        request: Request<Incoming>,
        work: impl FnOnce(Caller, HeaderMap, Result<Bytes, Refusal>) -> F + Send,
    ) -> impl Future<Output = Response<Whole>> + Send
    where
        F: Future<Output = Result<Response<Whole>, Refusal>> + Send,
    {
        let (head, body) = request.into_parts();
        let story = Story::of(&head.headers);
        let span = story.span(&head.method, head.uri.path());
        let answer = async move {
            if let Err(refusal) = self.hosts.admit(&head.headers) {
                return refusal.whole();
            }
            let response = match self.door.admit(&head.headers).await {
                Ok(Some(caller)) => {
                    let work = async {
                        let body = read(body, self.limit).await;
                        work(caller, head.headers, body).await
                    };
                    self.door.in_time(work).await.flatten()
                }
                Ok(None) => Err(extract::nobody()),
                Err(refusal) => Err(refusal),
            };
            let response = response.unwrap_or_else(Refusal::whole);
            self.door.meter.count(&head.method, response.status());
            response
        };
        story.tell(answer).instrument(span)
    }
}

async fn read(body: Incoming, limit: usize) -> Result<Bytes, Refusal> {
    let whole = Limited::new(body, limit).collect().await.map_err(|error| {
        Refusal(if error.is::<LengthLimitError>() {
            extract::too_large()
        } else {
            Problem::new(400, "unreadable", "the body could not be read").detail(error.to_string())
        })
    });
    whole.map(http_body_util::Collected::to_bytes)
}
