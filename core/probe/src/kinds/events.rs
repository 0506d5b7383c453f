//! A stream of server-sent events is alive: something comes on it, a comment at least.

use std::time::Duration;

use sanctum_http::Verify;
use sanctum_kernel::inventory::check::Events;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, timeout};

use super::http::{Target, after, secret};
use crate::dial::connect;
use crate::wire::{self, Question};
use crate::{Answer, Eyes, Stage};

/// What comes this soon greets whoever connects, and says nothing about what comes later.
const GREETING: Duration = Duration::from_millis(500);

pub(super) async fn look(eyes: &Eyes, events: &Events, stage: &Stage) -> Result<Answer, Answer> {
    let target = Target::of(&events.url)?;
    let token = secret(eyes, events.token.as_ref())?;
    let accept = Some("text/event-stream");
    let question = Question { path: target.path(), host: target.authority(), accept, token };
    let stream = connect(eyes, target.host(), target.port()).await?;
    if target.secure() {
        follow(&mut target.encrypted(stream, Verify::System, stage).await?, &question, events, stage).await
    } else {
        let mut stream = stream;
        follow(&mut stream, &question, events, stage).await
    }
}

async fn follow<S>(
    stream: &mut S,
    question: &Question<'_>,
    events: &Events,
    stage: &Stage,
) -> Result<Answer, Answer>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (head, _) = wire::open(stream, question, stage).await?;
    if head.status != 200 {
        return Err(Answer::fail(format!("answered {}", head.status)));
    }
    let kind = head.content_type.unwrap_or_default();
    if !kind.starts_with("text/event-stream") {
        return Err(Answer::fail(format!("answered with `{kind}` instead of a stream of events")));
    }
    let (opened, within) = (Instant::now(), events.silence());
    let mut piece = [0; 4096];
    loop {
        let waited = opened.elapsed();
        let read = timeout(within.saturating_sub(waited), stream.read(&mut piece)).await;
        let Ok(read) = read else {
            return Err(Answer::fail(format!(
                "the stream is open, and nothing came within {}",
                after(within)
            )));
        };
        match read.map_err(|error| Answer::of("the stream broke off", &error))? {
            0 => return Err(Answer::fail("the stream was closed")),
            // One that may only be silent for so short a time has greeted by then.
            _ if opened.elapsed() < GREETING.min(within / 2) => {}
            _ => return Ok(Answer::pass(format!("something came after {}", after(opened.elapsed())))),
        }
    }
}
