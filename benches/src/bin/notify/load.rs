//! Clients that post.

use std::time::{Duration, Instant};

use sanctum_http::{Outbound, Outgoing};

use crate::peer::Peer;

/// What a closed loop of clients saw.
#[derive(Debug, Default)]
pub(crate) struct Load {
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) took: Duration,
    ms: Vec<f64>,
    /// When each was accepted, since the beginning.
    at: Vec<Duration>,
}

impl Load {
    /// Accepted per second in each third of the load: whether it holds.
    #[expect(clippy::cast_precision_loss, reason = "a count of a few seconds")]
    pub(crate) fn thirds(&self, length: Duration) -> [f64; 3] {
        let third = length / 3;
        [1, 2, 3].map(|until| {
            let within = |at: &&Duration| third * (until - 1) <= **at && **at < third * until;
            (self.at.iter().filter(within).count() as f64 / third.as_secs_f64()).round()
        })
    }

    pub(crate) fn percentile(&self, p: f64) -> f64 {
        percentile(&mut self.ms.clone(), p)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index from a share of a length"
)]
pub(crate) fn percentile(values: &mut [f64], p: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = ((values.len() as f64 * p / 100.0) as usize).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or(f64::NAN)
}

/// Each connection posts again as soon as it has its answer.
pub(crate) async fn closed_loop(peer: &Peer, connections: usize, length: Duration, prefix: &str) -> Load {
    let began = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..connections {
        let (make, prefix) = (peer.request(), prefix.to_owned());
        clients.spawn(async move {
            let outbound = Outbound::default();
            let mut load = Load::default();
            while began.elapsed() < length {
                let id = format!("{prefix}{client}n{}", load.accepted + load.refused);
                let sent = Instant::now();
                match outbound.send(make(&id)).await {
                    Ok(answer) if answer.is_success() => {
                        load.accepted += 1;
                        load.at.push(began.elapsed());
                    }
                    _ => load.refused += 1,
                }
                load.ms.push(sent.elapsed().as_secs_f64() * 1000.0);
            }
            load
        });
    }
    let mut all = Load::default();
    while let Some(Ok(load)) = clients.join_next().await {
        all.accepted += load.accepted;
        all.refused += load.refused;
        all.ms.extend(load.ms);
        all.at.extend(load.at);
    }
    all.took = began.elapsed();
    all
}

/// One client posts at a pace; the accepted ids with the time of their post.
pub(crate) async fn at_pace(
    peer: &Peer,
    posts: usize,
    pace: Duration,
    prefix: &str,
) -> Vec<(String, Instant)> {
    let (outbound, make) = (Outbound::default(), peer.request());
    let mut sent = Vec::new();
    for number in 0..posts {
        let id = format!("{prefix}{number}");
        let at = Instant::now();
        if outbound.send(make(&id)).await.is_ok_and(|answer| answer.is_success()) {
            sent.push((id, at));
        }
        tokio::time::sleep(pace).await;
    }
    sent
}

/// Posts with a short pause until something breaks; the ids that were accepted.
pub(crate) async fn until_broken(make: impl Fn(&str) -> Outgoing, prefix: String) -> Vec<String> {
    let outbound = Outbound::default();
    let mut accepted = Vec::new();
    for number in 0.. {
        let id = format!("{prefix}n{number}");
        match outbound.send(make(&id)).await {
            Ok(answer) if answer.is_success() => accepted.push(id),
            _ => break,
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    accepted
}
