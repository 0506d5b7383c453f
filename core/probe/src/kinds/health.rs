//! `GET /health`, as every service of this house answers it.

use sanctum_api::Health;
use sanctum_kernel::Status;
use sanctum_kernel::inventory::check;

use crate::answer::excerpt;
use crate::dial::{dial, split};
use crate::wire::{self, Question};
use crate::{Answer, Eyes, Stage};

pub(super) async fn look(eyes: &Eyes, health: &check::Health, stage: &Stage) -> Result<Answer, Answer> {
    let (host, port) = split(&health.address)?;
    let line = dial(eyes, host, port).await?;
    let question = Question { path: "/health", host: &health.address, ..Question::default() };
    let received = wire::ask(line, &question, stage).await?;
    let said: Health = serde_json::from_slice(&received.body).map_err(|_| {
        let (status, body) = (received.head.status, excerpt(&received.body));
        Answer::fail(format!("answered {status} and no health: `{body}`"))
    })?;
    let mut parts: Vec<_> = said.parts.iter().filter(|(_, part)| part.status != Status::Well).collect();
    parts.sort_by_key(|(_, part)| std::cmp::Reverse(part.status));
    let words =
        |(name, part): (&String, &sanctum_kernel::well::Condition)| format!("{name}: {}", part.detail);
    let detail = parts.into_iter().map(|(name, part)| words((name, part))).collect::<Vec<_>>().join("; ");
    let detail = if detail.is_empty() { format!("{:?}", said.status).to_lowercase() } else { detail };
    Ok(match said.status {
        Status::Unwell => Answer::fail(detail),
        _ if !said.ready => Answer::fail("it is not ready yet"),
        Status::Degraded => Answer::drift(detail),
        Status::Well => Answer::pass(detail),
    })
}
