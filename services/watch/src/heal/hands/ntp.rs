//! What time it is elsewhere (RFC 5905, client mode).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sanctum_kernel::Clock;
use sanctum_kernel::trace::random;
use tokio::net::UdpSocket;

/// Seconds from 1900, where NTP begins, to 1970.
const EPOCH: i64 = 2_208_988_800;
/// Seconds of one era of NTP: its 32 bits begin anew in 2036.
const ERA: i64 = 1 << 32;
const PATIENCE: Duration = Duration::from_secs(3);

/// How far this clock is behind (positive) or ahead (negative) of what most of the servers say; the error says why nobody can tell.
pub(crate) async fn offset(clock: &Clock, servers: &[String]) -> Result<SignedDuration, String> {
    let mut offsets = Vec::new();
    let mut last = String::new();
    for server in servers {
        match tokio::time::timeout(PATIENCE, ask(clock, server)).await {
            Ok(Ok(offset)) => offsets.push(offset),
            Ok(Err(why)) => last = format!("{server}: {why}"),
            Err(_) => last = format!("{server}: no answer within {} s", PATIENCE.as_secs()),
        }
    }
    if offsets.len() * 2 <= servers.len() {
        return Err(format!("{} of {} time servers answered; {last}", offsets.len(), servers.len()));
    }
    offsets.sort();
    // One that lies is outvoted.
    offsets.get(offsets.len() / 2).copied().ok_or(last)
}

async fn ask(clock: &Clock, server: &str) -> Result<SignedDuration, String> {
    let words = |error: std::io::Error| error.to_string();
    let found = tokio::net::lookup_host(server).await.map_err(words)?.next();
    let addr = found.ok_or_else(|| "has no address".to_owned())?;
    let any = if addr.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await.map_err(words)?;
    socket.connect(addr).await.map_err(words)?;
    let mut packet = [0_u8; 48];
    // No warning, version 4, client.
    if let Some(first) = packet.first_mut() {
        *first = 0x23;
    }
    // A cookie instead of our time: what comes back proves that it answers this question.
    let cookie = random::<8>();
    if let Some(transmit) = packet.get_mut(40..48) {
        transmit.copy_from_slice(&cookie);
    }
    let sent = clock.now();
    socket.send(&packet).await.map_err(words)?;
    let mut answer = [0_u8; 128];
    loop {
        let length = socket.recv(&mut answer).await.map_err(words)?;
        let arrived = clock.now();
        let answer = answer.get(..length).unwrap_or_default();
        if answer.get(24..32) == Some(&cookie[..]) {
            return read(answer, sent, arrived);
        }
    }
}

fn read(answer: &[u8], sent: Timestamp, arrived: Timestamp) -> Result<SignedDuration, String> {
    let mode = answer.first().map(|first| first & 7);
    let stratum = answer.get(1).copied().unwrap_or_default();
    if answer.len() < 48 || mode != Some(4) || stratum == 0 || stratum > 15 {
        return Err("answers nothing of use".to_owned());
    }
    let at = |range| stamp(answer.get(range).unwrap_or_default());
    let (received, transmitted) = at(32..40).zip(at(40..48)).ok_or_else(|| "says no time".to_owned())?;
    let there = received.duration_since(sent) + transmitted.duration_since(arrived);
    Ok(there / 2)
}

fn stamp(bytes: &[u8]) -> Option<Timestamp> {
    let (seconds, fraction) = bytes.split_at_checked(4)?;
    let seconds = i64::from(u32::from_be_bytes(seconds.try_into().ok()?));
    let fraction = u64::from(u32::from_be_bytes(fraction.try_into().ok()?));
    if seconds == 0 && fraction == 0 {
        return None;
    }
    // A first bit of zero is the era that begins in 2036 (RFC 4330 §3).
    let seconds = if seconds >> 31 == 1 { seconds } else { seconds + ERA };
    let nanos = i32::try_from((fraction * 1_000_000_000) >> 32).ok()?;
    Timestamp::new(seconds - EPOCH, nanos).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_eras_are_read() {
        let at =
            |seconds: u32| stamp(&[seconds.to_be_bytes(), [0x80, 0, 0, 0]].concat()).unwrap().to_string();
        assert_eq!(at(3_944_678_400), "2025-01-01T00:00:00.5Z");
        assert_eq!(at(0x7FFF_FFFF), "2104-02-26T09:42:23.5Z");
        assert_eq!(stamp(&[0; 8]), None);
    }
}
