//! notify beside a bare outbox and Alertmanager, in one run: accepted and delivered per second, latency, loss, kills,
//! memory.
//!
//! `notify [--seconds N] [--rounds N] [--kills N] [--memory N] [--only NAME]` prints a table and, as its last line, JSON. Alertmanager
//! is Debian's `prometheus-alertmanager`; without it its column stays empty. Each hub of each round is a fresh process
//! with an empty disk that goes through the same: 200 posts 50 ms apart (the latency), then N seconds of 16 connections
//! that each post again as soon as they are answered, while the receiver takes what the hub delivers, then the time until
//! everything accepted has arrived.
#![expect(clippy::print_stdout, reason = "a benchmark speaks on standard output")]

mod floor;
mod load;
mod ours;
mod peer;
mod sink;

use std::time::{Duration, Instant};

use sanctum_kernel::Failure;
use serde_json::{Value, json};

use load::{at_pace, closed_loop, percentile};
use peer::{Kind, Peer};
use sink::Sink;

/// Connections of the throughput measurement.
const CONNECTIONS: usize = 16;
/// Posts of the latency measurement, this far apart.
const POSTS: usize = 200;
const PACE: Duration = Duration::from_millis(50);
/// Notifications accepted while the receiver is dead.
const DEAD: usize = 100;
/// How long a hub may take to deliver, after the load, what it accepted.
const CATCH_UP: Duration = Duration::from_mins(2);

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        // As `sanctum run notify` has it.
        ["--serve-ours", home, port, sink] => {
            let alone = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            alone.block_on(ours::serve(home, port, sink))
        }
        ["--serve-floor", home, port, sink] => runtime.block_on(floor::serve(home, port, sink)),
        flags => {
            let number = |name: &str, default: u64| {
                let at = flags.iter().position(|flag| *flag == name);
                at.and_then(|at| flags.get(at + 1)).and_then(|value| value.parse().ok()).unwrap_or(default)
            };
            let length = Duration::from_secs(number("--seconds", 10));
            let (rounds, kills, memory) =
                (number("--rounds", 3), number("--kills", 200), number("--memory", 100_000));
            let only = flags.iter().position(|flag| *flag == "--only").and_then(|at| flags.get(at + 1));
            let kinds = [Kind::Floor, Kind::Ours, Kind::Alertmanager];
            let kinds = kinds.into_iter().filter(|kind| only.is_none_or(|only| kind.name() == *only));
            let kinds: Vec<Kind> = kinds.filter(|kind| kind.is_there()).collect();
            runtime.block_on(compare(&kinds, length, rounds, (kills, memory)))
        }
    }
}

/// Rounds over the three, one after the other; the ratios are those of the median round, so that a burst of another
/// program does not decide.
async fn compare(
    kinds: &[Kind],
    length: Duration,
    turns: u64,
    (kills, memory): (u64, u64),
) -> Result<(), Failure> {
    let mut rounds: Vec<(Kind, Vec<Value>)> = kinds.iter().map(|kind| (*kind, Vec::new())).collect();
    for _ in 0..turns {
        for (kind, all) in &mut rounds {
            let measured = measure(*kind, length).await?;
            println!("{:<13} {measured}", kind.name());
            all.push(measured);
        }
    }
    let rates: Vec<(Kind, Vec<f64>)> =
        rounds.iter().map(|(kind, all)| (*kind, all.iter().map(rate).collect())).collect();
    let mut results: Vec<(Kind, Value)> =
        rounds.into_iter().filter_map(|(kind, all)| Some((kind, median(all)?))).collect();
    for (kind, result) in &mut results {
        let lost = loss(*kind).await?;
        println!("{:<13} receiver dead, SIGKILL, restart: {lost}", kind.name());
        if let Some(result) = result.as_object_mut() {
            result.insert("loss".to_owned(), lost);
        }
    }
    let killed = random_kills(kills).await?;
    println!("{:<13} {kills} random SIGKILLs: {killed}", Kind::Ours.name());
    let memory = if memory > 0 { memory_after(memory).await? } else { Value::Null };
    println!("{:<13} memory: {memory}", Kind::Ours.name());
    report(&results, &rates, &killed, &memory);
    Ok(())
}

/// The round with the median rate.
fn median(mut all: Vec<Value>) -> Option<Value> {
    all.sort_by(|a, b| rate(a).total_cmp(&rate(b)));
    let middle = all.len() / 2;
    all.into_iter().nth(middle)
}

fn rate(result: &Value) -> f64 {
    result["accepted_per_s"].as_f64().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "a count of a few seconds")]
async fn measure(kind: Kind, length: Duration) -> Result<Value, Failure> {
    let sink = Sink::open().await?;
    let mut peer = Peer::new(kind, &sink.url())?;
    peer.start().await?;
    let mut ms = latency(&peer, &sink).await;
    sink.clear();
    let before = peer.cpu();
    let load = closed_loop(&peer, CONNECTIONS, length, "t").await;
    let (cpu, delivered, memory) = (peer.cpu() - before, sink.unique().0, peer.memory());
    let began = Instant::now();
    let accepted = usize::try_from(load.accepted)?;
    sink.wait_for(accepted, CATCH_UP).await;
    let (arrived, duplicates) = sink.unique();
    let caught_up = began.elapsed().as_secs_f64();
    peer.kill();
    let seconds = load.took.as_secs_f64();
    Ok(json!({
        "accepted_per_s": load.accepted as f64 / seconds, "delivered_per_s": delivered as f64 / seconds,
        "cpu_us_per_accepted": cpu / load.accepted as f64, "accepted_by_third": load.thirds(length), "accepted": load.accepted, "delivered_meanwhile": delivered,
        "arrived": arrived, "duplicates": duplicates, "caught_up_s": caught_up, "refused": load.refused,
        "post_p50_ms": load.percentile(50.0), "post_p99_ms": load.percentile(99.0),
        "to_webhook_p50_ms": percentile(&mut ms, 50.0), "to_webhook_p95_ms": percentile(&mut ms, 95.0),
        "to_webhook_n": ms.len(), "rss_mb": memory,
    }))
}

/// From each post to its arrival at the receiver, in milliseconds, with nothing else going on.
async fn latency(peer: &Peer, sink: &Sink) -> Vec<f64> {
    let sent = at_pace(peer, POSTS, PACE, "l").await;
    sink.wait_for(POSTS, Duration::from_secs(20)).await;
    let arrived: std::collections::BTreeMap<String, Instant> = sink.arrivals().into_iter().rev().collect();
    let took =
        |(id, at): &(String, Instant)| Some(arrived.get(id)?.duration_since(*at).as_secs_f64() * 1000.0);
    sent.iter().filter_map(took).collect()
}

/// Resident memory, in MB: at rest, after so many notifications were accepted, and once they are delivered.
async fn memory_after(count: u64) -> Result<Value, Failure> {
    let sink = Sink::open().await?;
    let mut peer = Peer::new(Kind::Ours, &sink.url())?;
    peer.start().await?;
    let idle = peer.memory();
    let mut accepted = 0;
    while accepted < count {
        accepted +=
            closed_loop(&peer, CONNECTIONS, Duration::from_secs(1), &format!("m{accepted}x")).await.accepted;
    }
    let loaded = peer.memory();
    sink.wait_for(usize::try_from(accepted)?, CATCH_UP).await;
    let told = sink.unique().0;
    // The outcomes of the last are written, and the history is indexed once a minute.
    tokio::time::sleep(Duration::from_secs(65)).await;
    let rest = peer.memory();
    peer.kill();
    Ok(
        json!({ "accepted": accepted, "delivered": told, "idle_mb": idle, "accepted_mb": loaded, "at_rest_mb": rest }),
    )
}

/// Accepted while the receiver is dead; then the hub is killed, started again, and the receiver is well.
async fn loss(kind: Kind) -> Result<Value, Failure> {
    let sink = Sink::open().await?;
    let mut peer = Peer::new(kind, &sink.url())?;
    peer.start().await?;
    sink.down(true);
    let sent = at_pace(&peer, DEAD, Duration::from_millis(2), "d").await;
    peer.kill();
    sink.down(false);
    sink.clear();
    peer.start().await?;
    let began = Instant::now();
    sink.wait_for(sent.len().max(1), Duration::from_mins(1)).await;
    let (unique, duplicates) = sink.unique();
    peer.kill();
    Ok(
        json!({ "accepted": sent.len(), "delivered": unique, "duplicates": duplicates, "took_s": began.elapsed().as_secs_f64() }),
    )
}

/// The hub is killed at random instants while four clients post; everything that was accepted must arrive.
async fn random_kills(kills: u64) -> Result<Value, Failure> {
    let sink = Sink::open().await?;
    let mut peer = Peer::new(Kind::Ours, &sink.url())?;
    let mut accepted = Vec::new();
    for round in 0..kills {
        peer.start().await?;
        let [low, high] = sanctum_kernel::trace::random::<2>();
        let until = Duration::from_micros(u64::from(u16::from_le_bytes([low, high])) * 3);
        accepted.extend(peer.load_until_killed(until, &format!("k{round}x")).await);
    }
    peer.start().await?;
    sink.wait_for_all(&accepted, Duration::from_mins(2)).await;
    let arrived: std::collections::BTreeSet<String> = sink.arrivals().into_iter().map(|(id, _)| id).collect();
    let lost = accepted.iter().filter(|id| !arrived.contains(*id)).count();
    let (_, duplicates) = sink.unique();
    peer.kill();
    Ok(json!({ "kills": kills, "accepted": accepted.len(), "lost": lost, "duplicates": duplicates }))
}

fn report(results: &[(Kind, Value)], rates: &[(Kind, Vec<f64>)], killed: &Value, memory: &Value) {
    println!(
        "\n{:<14}{:>11}{:>12}{:>9}{:>12}{:>9}{:>9}{:>9}{:>13}{:>13}{:>8}  after death",
        "",
        "accepted/s",
        "delivered/s",
        "of it",
        "caught up",
        "cpu µs",
        "p50 ms",
        "p99 ms",
        "webhook p50",
        "webhook p95",
        "MB"
    );
    for (kind, result) in results {
        let number = |name: &str| result[name].as_f64().unwrap_or(f64::NAN);
        let loss = &result["loss"];
        println!(
            "{:<14}{:>11.0}{:>12.0}{:>8.0}%{:>10.1} s{:>9.0}{:>9.2}{:>9.1}{:>13.2}{:>13.2}{:>8.1}  {} of {}",
            kind.name(),
            number("accepted_per_s"),
            number("delivered_per_s"),
            100.0 * number("delivered_per_s") / number("accepted_per_s"),
            number("caught_up_s"),
            number("cpu_us_per_accepted"),
            number("post_p50_ms"),
            number("post_p99_ms"),
            number("to_webhook_p50_ms"),
            number("to_webhook_p95_ms"),
            number("rss_mb"),
            loss["delivered"],
            loss["accepted"],
        );
    }
    let ratio = |other: Kind| ratio(rates, other);
    for (other, bar) in [(Kind::Floor, 0.7), (Kind::Alertmanager, 5.0)] {
        if let Some(ratio) = ratio(other) {
            println!("accepted/s, ours : {} = {ratio:.2} (bar ≥ {bar})", other.name());
        }
    }
    println!("random SIGKILLs: {killed} (bar: 0 lost, duplicates ≤ kills)");
    println!("memory: {memory}");
    let all: serde_json::Map<String, Value> =
        results.iter().map(|(kind, result)| (kind.name().to_owned(), result.clone())).collect();
    println!(
        "{}",
        json!({
            "notify": all, "vs_floor": ratio(Kind::Floor), "vs_alertmanager": ratio(Kind::Alertmanager), "kills": killed,
            "memory": memory,
        })
    );
}

/// The median of the rounds' ratios.
fn ratio(rates: &[(Kind, Vec<f64>)], other: Kind) -> Option<f64> {
    let of = |wanted: Kind| rates.iter().find(|(kind, _)| *kind == wanted).map(|(_, all)| all.iter());
    let mut ratios: Vec<f64> = of(Kind::Ours)?.zip(of(other)?).map(|(ours, other)| ours / other).collect();
    Some(percentile(&mut ratios, 50.0))
}
