//! Hearing arrivals: one socket for the bridges' tables and neighbours, one for the rules, and per bridge one for DHCP,
//! one for answers of the DNS and one for what devices announce of themselves.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::io;
use std::task::Poll;

use rustix::net::netlink::NETFILTER;
use sanctum_kernel::{Mac, Stop};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use super::kernel::TABLE;
use super::lan::Lan;
use super::packet::{Packets, wait_for};
use super::socket::Netlink;
use super::wire::{attr, messages, text};
use crate::backend::{By, Seen, Signal};
use crate::{dhcp, dns, mdns};

/// `RTMGRP_NEIGH`: bridges' tables and neighbours.
const NEIGHBOURS: u32 = 4;
/// `NFNLGRP_NFTABLES` (7) as a bit mask.
const RULES: u32 = 1 << 6;
/// `NFT_MSG_NEWGEN`: a transaction is over; what it changed was reported before.
const GENERATION: u16 = 10 << 8 | 15;
/// A frame with the largest DHCP message that fits into Ethernet.
const FRAME: usize = 2048;

/// What is done with an answer of the DNS.
pub(super) type Learn = Box<dyn Fn(&dns::Answer) + Send + Sync>;

/// The sockets, open from the moment this is made.
pub(super) struct Watch {
    lan: Lan,
    neighbours: AsyncFd<Netlink>,
    rules: AsyncFd<Netlink>,
    packets: Vec<AsyncFd<Packets>>,
    answers: Vec<AsyncFd<Packets>>,
    announcements: Vec<AsyncFd<Packets>>,
    learn: Learn,
    /// Ports of our own sockets: what they change is no news.
    ours: Vec<u32>,
    here: BTreeSet<Mac>,
}

/// What was read in one turn.
#[derive(Debug, Default)]
struct Turn {
    signals: Vec<Signal>,
    /// The kernel had more to say than there was room for.
    overrun: bool,
}

impl Watch {
    pub(super) fn open(lan: &Lan, ours: Vec<u32>, learn: Learn) -> io::Result<Self> {
        let packets = lan.indexes.iter().map(|index| wait_for(Packets::open(*index)?));
        let announcements = lan.indexes.iter().map(|index| wait_for(Packets::announcements(*index)?));
        let answers = lan.indexes.iter().map(|index| wait_for(Packets::answers(*index)?));
        Ok(Self {
            lan: lan.clone(),
            neighbours: wait_for(Netlink::listen(None, NEIGHBOURS)?)?,
            rules: wait_for(Netlink::listen(Some(NETFILTER), RULES)?)?,
            packets: packets.collect::<io::Result<_>>()?,
            answers: answers.collect::<io::Result<_>>()?,
            announcements: announcements.collect::<io::Result<_>>()?,
            learn,
            ours,
            here: BTreeSet::new(),
        })
    }

    /// Tells of everything until stopped.
    pub(super) async fn run(mut self, to: mpsc::Sender<Signal>, stop: Stop) -> io::Result<()> {
        loop {
            let turn = match stop.or(self.turn()).await {
                Some(turn) => turn?,
                None => return Ok(()),
            };
            let mut signals = turn.signals;
            if turn.overrun {
                signals.extend(self.look_again()?);
            }
            for signal in signals {
                match &signal {
                    Signal::Seen(seen) => drop(self.here.insert(seen.mac)),
                    Signal::Gone(mac) => drop(self.here.remove(mac)),
                    _ => {}
                }
                if to.send(signal).await.is_err() {
                    return Ok(());
                }
            }
        }
    }

    /// Waits until one of the sockets has something, and empties it.
    async fn turn(&mut self) -> io::Result<Turn> {
        let Self { lan, neighbours, rules, packets, answers, announcements, learn, ours, .. } = self;
        tokio::select! {
            biased;
            at = heard(packets) => Ok(requests(packets, at?, (By::Dhcp, dhcp::read))),
            at = heard(answers) => {
                frames(answers, at?, |frame| dns::read(frame).iter().for_each(&*learn));
                Ok(Turn::default())
            }
            at = heard(announcements) => Ok(requests(announcements, at?, (By::Mdns, mdns::read))),
            ready = neighbours.readable_mut() => {
                let mut ready = ready?;
                let turn = drain(ready.get_inner_mut(), |bytes, signals| signals.extend(messages(bytes).filter_map(|message| lan.signal(&message))));
                ready.clear_ready();
                turn
            }
            ready = rules.readable_mut() => {
                let mut ready = ready?;
                let turn = drain(ready.get_inner_mut(), |bytes, signals| {
                    let news = messages(bytes).any(|message| {
                        let table = message.payload.get(4..).and_then(|body| attr(body, 1)).map(text);
                        message.kind != GENERATION && !ours.contains(&message.port) && table.as_deref() == Some(TABLE)
                    });
                    if news && signals.is_empty() {
                        signals.push(Signal::Changed);
                    }
                });
                ready.clear_ready();
                turn
            }
        }
    }

    /// After an overrun: who is there is seen again, who is not has gone, and the rules may have changed.
    fn look_again(&self) -> io::Result<Vec<Signal>> {
        let here = self.lan.devices(&mut Netlink::open(None)?)?;
        let macs: BTreeSet<Mac> = here.iter().map(|seen| seen.mac).collect();
        tracing::warn!(devices = here.len(), "the kernel told more than there was room for; everything is looked at again");
        let gone = self.here.difference(&macs).copied().map(Signal::Gone);
        Ok(gone.chain(here.into_iter().map(Signal::Seen)).chain([Signal::Changed]).collect())
    }
}

/// Reads until nothing is left.
fn drain(socket: &mut Netlink, mut read: impl FnMut(&[u8], &mut Vec<Signal>)) -> io::Result<Turn> {
    let mut turn = Turn::default();
    loop {
        match socket.take() {
            Ok(bytes) => read(bytes, &mut turn.signals),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(turn),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => turn.overrun = true,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The first packet socket that has something.
async fn heard(packets: &[AsyncFd<Packets>]) -> io::Result<usize> {
    poll_fn(|cx| {
        for (at, socket) in packets.iter().enumerate() {
            match socket.poll_read_ready(cx) {
                Poll::Ready(Ok(_)) => return Poll::Ready(Ok(at)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
        }
        Poll::Pending
    })
    .await
}

/// Reads what a device said of itself.
type Read = fn(&[u8]) -> Option<dhcp::Heard>;

/// What devices said of themselves on one packet socket.
fn requests(packets: &[AsyncFd<Packets>], at: usize, (by, read): (By, Read)) -> Turn {
    let mut turn = Turn::default();
    frames(packets, at, |frame| {
        turn.signals.extend(read(frame).map(|heard| {
            Signal::Seen(Seen { mac: heard.mac, by, address: heard.address, fingerprint: Some(heard.shown) })
        }));
    });
    turn
}

/// Reads every frame of one packet socket. One that breaks (the bridge went away) is quiet: the bridges' tables
/// still tell of every arrival.
fn frames(packets: &[AsyncFd<Packets>], at: usize, mut read: impl FnMut(&[u8])) {
    let Some(socket) = packets.get(at) else { return };
    let mut room = [0; FRAME];
    loop {
        match socket.get_ref().take(&mut room) {
            Ok(frame) => read(frame),
            Err(error) => {
                if error.kind() == io::ErrorKind::WouldBlock
                    && let Poll::Ready(Ok(mut guard)) = socket.poll_read_ready(&mut std::task::Context::from_waker(std::task::Waker::noop()))
                {
                    guard.clear_ready();
                }
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use rustix::thread::{UnshareFlags, unshare_unsafe};

    use super::*;
    use crate::backend::nftables::Config;

    /// Far more than fits into the socket's buffer.
    const MANY: u32 = 20_000;

    fn run(program: &str, args: &[&str], input: &str) {
        let mut child = Command::new(program).args(args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "this test needs root and iproute2: {program} {args:?}");
    }

    fn mac(n: u32) -> Mac {
        let [_, a, b, c] = n.to_be_bytes();
        Mac([0x06, 0, 0, a, b, c])
    }

    fn overrun() {
        #[expect(unsafe_code, reason = "only the network is unshared, which no other code of this thread holds on to")]
        // SAFETY: file descriptors stay shared; the thread ends with the test.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.expect("this test needs root");
        for line in ["link add br-lan type bridge", "link add p0 type veth peer name p1", "link set p1 up",
            "link set p0 master br-lan up", "link set br-lan up"] {
            run("ip", &line.split(' ').collect::<Vec<_>>(), "");
        }
        let lan = Lan::look(&Config::default(), &mut Netlink::open(None).unwrap()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut watch = Watch::open(&lan, Vec::new(), Box::new(|_| {})).unwrap();
            watch.here.insert(mac(MANY));
            let batch: Vec<String> = (0..MANY).map(|n| format!("fdb add {} dev p0 master dynamic", mac(n))).collect();
            run("bridge", &["-batch", "-"], &batch.join("\n"));
            // Nobody has read until now: the kernel could not keep all of it, and says so once.
            let mut told = BTreeSet::new();
            let overrun = loop {
                let turn = watch.turn().await.unwrap();
                told.extend(turn.signals.iter().filter_map(|signal| if let Signal::Seen(seen) = signal { Some(seen.mac) } else { None }));
                if turn.overrun {
                    break turn;
                }
            };
            assert!(overrun.overrun && told.len() < MANY as usize, "{} were told", told.len());
            let again = watch.look_again().unwrap();
            let seen: BTreeSet<Mac> = again.iter().filter_map(|signal| if let Signal::Seen(seen) = signal { Some(seen.mac) } else { None }).collect();
            assert!((0..MANY).all(|n| seen.contains(&mac(n))), "{} of {MANY} were found again", seen.len());
            assert!(again.contains(&Signal::Gone(mac(MANY))) && again.contains(&Signal::Changed));
        });
    }

    #[test]
    fn what_the_kernel_could_not_tell_is_looked_at_again() {
        // In a thread of its own, whose network ends with it.
        std::thread::spawn(overrun).join().unwrap();
    }
}
