//! Reading a request's body, as long as it may be.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use http_body_util::BodyExt;
use sanctum_http::{Body, Bytes, HeaderMap, Incoming, header};
use sanctum_kernel::Size;
use sanctum_llm::FaultKind;
use tokio::time::error::Elapsed;

use crate::refusal::Refusal;

/// How much of a body that is too large is still taken, so that its sender gets to read why: bytes, and time.
const TAKEN: (u64, Duration) = (512 * 1024 * 1024, Duration::from_secs(10));
/// A part of a body must come within this.
const PART: Duration = Duration::from_mins(1);

/// The whole body.
pub(crate) async fn whole(
    mut incoming: Incoming,
    headers: &HeaderMap,
    limit: Size,
) -> Result<Bytes, Refusal> {
    let announced = incoming.size_hint().exact();
    if announced.is_some_and(|size| size > limit.0) {
        // A client that asks first (RFC 9110 §10.1.1) has sent nothing yet and needs no taking.
        if !headers.contains_key(header::EXPECT) {
            Box::pin(drain(&mut incoming)).await;
        }
        return Err(too_large(limit));
    }
    let mut only: Option<Bytes> = None;
    let mut all: Vec<u8> = Vec::new();
    while !incoming.is_end_stream() {
        let frame = within(PART, incoming.frame()).await.map_err(|_| {
            Refusal::new(408, FaultKind::Timeout, "slow_body", "the request did not come to its end")
        })?;
        let Some(frame) = frame else { break };
        let frame = frame
            .map_err(|error| Refusal::invalid("broken_body", format!("the request broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        let so_far = all.len() + only.as_ref().map_or(0, Bytes::len) + data.len();
        if so_far as u64 > limit.0 {
            Box::pin(drain(&mut incoming)).await;
            return Err(too_large(limit));
        }
        match only.take() {
            None if all.is_empty() => only = Some(data),
            before => {
                if all.is_empty() {
                    all.reserve(announced.map_or(so_far * 2, |size| usize::try_from(size).unwrap_or(so_far)));
                }
                all.extend_from_slice(&before.unwrap_or_default());
                all.extend_from_slice(&data);
            }
        }
    }
    Ok(only.unwrap_or_else(|| Bytes::from(all)))
}

/// What comes within `period`. Most of it is there already, and needs no timer and no look at the clock.
pub(crate) async fn within<F: Future + Unpin>(period: Duration, mut future: F) -> Result<F::Output, Elapsed> {
    let at_once = poll_fn(|cx| Poll::Ready(Pin::new(&mut future).poll(cx))).await;
    match at_once {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => tokio::time::timeout(period, future).await,
    }
}

fn too_large(limit: Size) -> Refusal {
    let message = format!("the request is larger than {limit}");
    Refusal::new(413, FaultKind::TooLarge, "request_too_large", message).never_again()
}

async fn drain(incoming: &mut Incoming) {
    let reading = async {
        let mut taken = 0;
        while let Some(Ok(frame)) = incoming.frame().await {
            taken += frame.data_ref().map_or(0, |data| data.len() as u64);
            if taken > TAKEN.0 {
                break;
            }
        }
    };
    tokio::time::timeout(TAKEN.1, reading).await.ok();
}
