//! Arrivals of every kind are noticed, once, and a blocked one is answered with a verdict.

use std::sync::Arc;
use std::time::Duration;

use sanctum_api::firewall::{Happening, Kind, Standing, Verdict};
use sanctum_kernel::Mac;
use serde_json::json;

use crate::lab::{Heard, Lab, XBOX, client, curfew, desire, house, until};

const RANDOM: &str = "de:ad:be:00:00:47";

fn of(kind: Kind, mac: &str) -> impl Fn(&Happening) -> bool {
    let mac: Mac = mac.parse().unwrap();
    move |event| event.kind == kind && event.mac == Some(mac)
}

/// A real DHCP client asks, gets no answer, and goes.
fn ask(lab: &Lab, extra: &[&str]) {
    let all =
        [&["udhcpc", "-f", "-n", "-q", "-t", "2", "-T", "1", "-i", "eth0", "-s", "/bin/true"][..], extra]
            .concat();
    lab.try_exec("xb", &all);
}

/// A device that still has its address sends the REQUEST of INIT-REBOOT (RFC 2131 §4.3.2).
fn remember(lab: &Lab) {
    let sent = lab.inside("xb", || {
        let mut message = vec![0; 240];
        message[..4].copy_from_slice(&[1, 1, 6, 0]);
        message[236..].copy_from_slice(&[99, 130, 83, 99]);
        message.extend(b"\x35\x01\x03\x32\x04\x0a\x4d\x00\x43\x0c\x06XBOX-2\xff");
        let socket = std::net::UdpSocket::bind("10.77.0.67:68").unwrap();
        socket.set_broadcast(true).unwrap();
        socket.send_to(&message, "10.77.0.255:67").unwrap();
    });
    sent.join().unwrap();
}

/// A device announces its name by multicast DNS (RFC 6762 §8.3).
fn announce(lab: &Lab, part: &str, from: &'static str, name: &'static str) {
    let sent = lab.inside(part, move || {
        let mut message = b"\0\0\x84\0\0\0\0\x01\0\0\0\0".to_vec();
        message.push(u8::try_from(name.len()).unwrap());
        message.extend(name.as_bytes());
        message.extend(b"\x05local\0\0\x01\x80\x01\0\0\0\x78\0\x04\x0a\x4d\0\x14");
        let socket = std::net::UdpSocket::bind(from).unwrap();
        socket.send_to(&message, "224.0.0.251:5353").unwrap();
    });
    sent.join().unwrap();
}

#[test]
fn every_kind_of_join_is_one_event() {
    let lab = Arc::new(Lab::up());
    let inner = Arc::clone(&lab);
    lab.on_router(move || async move {
        let lab = inner;
        let house = house("").start().await;
        desire(&house, json!({ "xbox": curfew() }), "allow").await;
        let mut heard = Heard::from_now(&house).await;
        // A fresh lease: the bridge, two DISCOVERs and their neighbours are one arrival.
        lab.plug("xb", XBOX);
        ask(&lab, &["-x", "hostname:XBOX", "-V", "MSFT 5.0 XBOX"]);
        let attempt = heard.next("the attempt", of(Kind::Attempt, XBOX)).await;
        assert_eq!(attempt.verdict, Some(Verdict::Applied));
        let more = heard.during(Duration::from_secs(1)).await;
        assert!(!more.iter().any(|event| matches!(event.kind, Kind::Joined | Kind::Attempt)), "{more:?}");
        let xbox = client(&house).device("xbox").await.unwrap();
        assert_eq!(
            (xbox.fingerprint.hostname.as_deref(), xbox.fingerprint.vendor_class.as_deref()),
            (Some("XBOX"), Some("MSFT 5.0 XBOX"))
        );
        // It goes, and comes back with an address typed by hand: no DHCP at all.
        lab.ip("xb", "link set eth0 down");
        heard.next("that it left", of(Kind::Left, XBOX)).await;
        lab.address("xb", XBOX, 66);
        lab.pings("xb", "10.77.0.1");
        heard.next("the second attempt", of(Kind::Attempt, XBOX)).await;
        until(&house, "xbox", "its typed address", |device| {
            device.addresses.contains(&"10.77.0.66".parse().unwrap())
        })
        .await;
        // Another address for the same device is no arrival.
        lab.ip("xb", "address flush dev eth0");
        lab.ip("xb", "address add 10.77.0.67/24 dev eth0");
        lab.pings("xb", "10.77.0.1");
        until(&house, "xbox", "its new address", |device| {
            device.addresses.contains(&"10.77.0.67".parse().unwrap())
        })
        .await;
        // It comes back and asks for the address it remembers: a REQUEST without a DISCOVER.
        lab.ip("xb", "link set eth0 down");
        heard.next("that it left again", of(Kind::Left, XBOX)).await;
        lab.plug("xb", XBOX);
        remember(&lab);
        heard.next("the third attempt", of(Kind::Attempt, XBOX)).await;
        until(&house, "xbox", "its new name", |device| {
            device.fingerprint.hostname.as_deref() == Some("XBOX-2")
        })
        .await;
        let more = heard.during(Duration::from_secs(1)).await;
        assert!(!more.iter().any(|event| matches!(event.kind, Kind::Joined | Kind::Attempt)), "{more:?}");
        // It comes back with a made-up address, and is recognised by what it shows.
        lab.ip("xb", "link set eth0 down");
        lab.ip("xb", "address flush dev eth0");
        lab.plug("xb", RANDOM);
        heard.next("the stranger", of(Kind::Joined, RANDOM)).await;
        ask(&lab, &["-x", "hostname:XBOX-2", "-V", "MSFT 5.0 XBOX"]);
        let stranger = until(&house, RANDOM, "the likeness", |device| device.resembles.is_some()).await;
        assert_eq!(stranger.resembles.unwrap().device, "xbox");
        house.stop().await;
    });
}

#[test]
fn a_stranger_in_a_curfew_sends_nothing_and_is_freed_when_it_ends() {
    let lab = Arc::new(Lab::up());
    let inner = Arc::clone(&lab);
    lab.on_router(move || async move {
        let lab = inner;
        let house = house("").start().await;
        desire(&house, json!({}), "block").await;
        // Nobody runs the firewall now: the kernel alone says no.
        let stopped = house.stop().await;
        lab.address("xb", RANDOM, 70);
        assert!(!lab.pings("xb", "203.0.113.2") && !lab.pings("xb", "2001:db8:113::2"));
        assert!(lab.pings("xb", "10.77.0.20") && lab.pings("tb", "203.0.113.2"));
        let house = stopped.start().await;
        let stranger = until(&house, RANDOM, "the stranger", |device| device.block.is_some()).await;
        assert_eq!(stranger.standing, Standing::Automatic);
        assert!(!lab.pings("xb", "203.0.113.2"));
        until(&house, RANDOM, "the proof", |device| {
            device.block.as_ref().unwrap().verdict == Verdict::Proven
        })
        .await;
        desire(&house, json!({}), "allow").await;
        assert!(lab.pings("xb", "203.0.113.2") && lab.pings("xb", "2001:db8:113::2"));
        assert_eq!(client(&house).device(RANDOM).await.unwrap().standing, Standing::Seen);
        house.stop().await;
    });
}

#[test]
fn a_device_is_known_by_what_it_announces_where_dhcp_said_nothing() {
    let lab = Arc::new(Lab::up());
    let inner = Arc::clone(&lab);
    lab.on_router(move || async move {
        let lab = inner;
        let house = house("").start().await;
        lab.plug("xb", XBOX);
        ask(&lab, &["-x", "hostname:XBOX", "-V", "MSFT 5.0 XBOX"]);
        until(&house, "xbox", "its name", |device| device.fingerprint.hostname.is_some()).await;
        // What it announces to everybody does not overrule what it told the router.
        lab.ip("xb", "address add 10.77.0.66/24 dev eth0");
        lab.ip("xb", "route replace default via 10.77.0.1");
        announce(&lab, "xb", "10.77.0.66:5353", "not-me");
        // A device that never asked for an address is known by what it announces, and only by that.
        announce(&lab, "tb", "10.77.0.20:5353", "Avas-iPad");
        let tablet =
            until(&house, "tablet", "its name", |device| device.fingerprint.hostname.is_some()).await;
        assert_eq!(tablet.fingerprint.hostname.as_deref(), Some("avas-ipad"));
        let xbox = client(&house).device("xbox").await.unwrap();
        assert_eq!(xbox.fingerprint.hostname.as_deref(), Some("XBOX"));
        house.stop().await;
    });
}
