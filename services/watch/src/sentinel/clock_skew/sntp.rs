//! One question to a time server: SNTP (RFC 4330, which is NTP version 4 of RFC 5905 without its algorithms).

use jiff::Timestamp;
use sanctum_kernel::Clock;
use tokio::net::{UdpSocket, lookup_host};

/// Seconds between NTP's era 0 (1900) and Unix's (RFC 4330 §3).
const ERA: u64 = 2_208_988_800;

/// How many seconds this clock is behind the server's.
pub(super) async fn ask(clock: &Clock, server: &str) -> Result<f64, String> {
    let named = if has_port(server) { server.to_owned() } else { format!("{server}:123") };
    let plain = |error: std::io::Error| error.to_string();
    let to = lookup_host(&named).await.map_err(plain)?.next().ok_or("it has no address")?;
    let own = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(own).await.map_err(plain)?;
    socket.connect(to).await.map_err(plain)?;
    let sent = stamp(clock.now());
    // Leap 0, version 4, mode 3 (client); our time goes where the server will repeat it, so that an answer is known for ours.
    let mut packet = [0_u8; 48];
    packet[0] = 0x23;
    packet[40..48].copy_from_slice(&sent.to_be_bytes());
    socket.send(&packet).await.map_err(plain)?;
    let mut answer = [0_u8; 128];
    let length = socket.recv(&mut answer).await.map_err(plain)?;
    read(answer.get(..length).unwrap_or_default(), sent, stamp(clock.now()))
}

fn has_port(server: &str) -> bool {
    server.rsplit_once(':').is_some_and(|(host, port)| port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']')))
}

/// 32 bits of seconds, 32 bits of fraction.
fn stamp(at: Timestamp) -> u64 {
    let micros = u64::try_from(at.as_microsecond()).unwrap_or(0);
    let seconds = (micros / 1_000_000).wrapping_add(ERA) & 0xffff_ffff;
    (seconds << 32) | (((micros % 1_000_000) << 32) / 1_000_000)
}

/// `((T2 − T1) + (T3 − T4)) / 2` (RFC 4330 §5), which is right within half of what the way back took longer than the way there.
#[expect(clippy::cast_precision_loss, reason = "53 bits of a difference in units of a quarter of a nanosecond")]
fn read(answer: &[u8], sent: u64, received: u64) -> Result<f64, String> {
    let at = |from: usize| answer.get(from..from + 8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
    let (Some(originate), Some(theirs), Some(transmit)) = (at(24), at(32), at(40)) else {
        return Err("its answer is too short".to_owned());
    };
    let (first, stratum) = (answer.first().copied().unwrap_or(0), answer.get(1).copied().unwrap_or(0));
    if first & 7 != 4 || originate != sent || transmit == 0 {
        return Err("that is no answer to what was asked".to_owned());
    }
    if first >> 6 == 3 || stratum == 0 || stratum > 15 {
        return Err("it does not know the time itself".to_owned());
    }
    // Differences of 64 bits are right across the end of an era (2036).
    let apart = |a: u64, b: u64| a.wrapping_sub(b).cast_signed() as f64 / 4_294_967_296.0;
    Ok(f64::midpoint(apart(theirs, sent), apart(transmit, received)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_era_of_ntp_begins_in_1900_and_ends_without_harm() {
        let at = |text: &str| stamp(text.parse().unwrap());
        assert_eq!(at("1970-01-01T00:00:00.5Z") >> 32, 2_208_988_800);
        assert_eq!(at("1970-01-01T00:00:00.5Z") & 0xffff_ffff, 1 << 31);
        // One second before and one after the end of era 0.
        let (before, after) = (at("2036-02-07T06:28:15Z"), at("2036-02-07T06:28:17Z"));
        let mut answer = [0_u8; 48];
        answer[0] = 0x24;
        answer[1] = 2;
        answer[24..32].copy_from_slice(&before.to_be_bytes());
        answer[32..40].copy_from_slice(&after.to_be_bytes());
        answer[40..48].copy_from_slice(&after.to_be_bytes());
        assert!((read(&answer, before, before).unwrap() - 2.0).abs() < 0.001);
        answer[24] ^= 1;
        assert!(read(&answer, before, before).is_err(), "somebody else's answer");
    }
}
