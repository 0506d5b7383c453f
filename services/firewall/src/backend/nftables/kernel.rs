//! What is asked of the kernel while the house runs: elements, counters, rules and flows, never a process.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use rustix::net::netlink::NETFILTER;
use sanctum_kernel::Mac;

use super::rules::{self, Print};
use super::ruleset;
use super::socket::Netlink;
use super::wire::{ACK, Builder, CREATE, DUMP, Message, REQUEST, attr, attrs, text};

/// Families of nftables (linux/netfilter.h).
pub(super) const INET: u8 = 1;
pub(super) const BRIDGE: u8 = 7;
/// Our table in both.
pub(super) const TABLE: &str = "sanctum";

/// Subsystems of nfnetlink (linux/netfilter/nfnetlink.h).
const CONNTRACK: u16 = 1;
const NFTABLES: u16 = 10;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
/// Messages of nf_tables (linux/netfilter/nf_tables.h).
const GET_TABLE: u16 = (NFTABLES << 8) | 0x01;
const GET_RULE: u16 = (NFTABLES << 8) | 0x07;
const NEW_ELEMENT: u16 = (NFTABLES << 8) | 0x0c;
const GET_ELEMENT: u16 = (NFTABLES << 8) | 0x0d;
const DELETE_ELEMENT: u16 = (NFTABLES << 8) | 0x0e;
const GET_FLOWTABLE: u16 = (NFTABLES << 8) | 0x17;
/// `IPCTNL_MSG_CT_DELETE`, `CTA_MARK`, `CTA_MARK_MASK`.
const DELETE_FLOW: u16 = (CONNTRACK << 8) | 0x02;
const MARK: u16 = 8;
const MARK_MASK: u16 = 21;
/// `NFT_TABLE_F_DORMANT`: a table that is asleep.
const DORMANT: u32 = 1;
/// Elements in one batch: far below the 64 KiB that an attribute can hold, and small enough for any send buffer.
const BATCH: usize = 1000;
/// An address of a device inside a concatenation: six bytes and two of nothing.
const PART: usize = 8;

/// A counter of one element.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    pub packets: u64,
    pub bytes: u64,
}

/// One element to add or delete.
#[derive(Debug, Clone)]
pub(super) struct Element {
    pub family: u8,
    pub set: &'static str,
    pub key: Vec<u8>,
    /// What a map holds under it.
    pub value: Option<[u8; 4]>,
    /// When the kernel forgets it by itself; never if `None`.
    pub timeout: Option<Duration>,
}

impl Element {
    pub(super) fn of(family: u8, set: &'static str, mac: Mac) -> Self {
        Self { family, set, key: mac.0.to_vec(), value: None, timeout: None }
    }

    pub(super) fn mark(mac: Mac) -> Self {
        Self { family: INET, set: "devmark", key: mac.0.to_vec(), value: Some(ruleset::mark(mac).to_ne_bytes()), timeout: None }
    }

    /// A device and an address it is cut off from; in a concatenation every part fills whole words.
    pub(super) fn pair(family: u8, mac: Mac, address: IpAddr) -> Self {
        let mut key = mac.0.to_vec();
        key.resize(PART, 0);
        let set = match address {
            IpAddr::V4(v4) => {
                key.extend(v4.octets());
                "svc4"
            }
            IpAddr::V6(v6) => {
                key.extend(v6.octets());
                "svc6"
            }
        };
        Self { family, set, key, value: None, timeout: None }
    }

    fn write(&self, list: &mut Builder) {
        list.nest(1, |element| {
            element.nest(1, |key| key.attr(1, &self.key));
            if let Some(value) = &self.value {
                element.nest(2, |data| data.attr(1, value));
            }
            if let Some(timeout) = self.timeout {
                let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                element.attr(4, &millis.to_be_bytes());
            }
        });
    }
}

/// The kernel, as one socket. Every call waits for the kernel's answer, which takes microseconds.
#[derive(Debug)]
pub struct Kernel(Netlink);

impl Kernel {
    /// Needs the right to administer the network; the first call that lacks it says so.
    pub fn open() -> io::Result<Self> {
        Netlink::open(Some(NETFILTER)).map(Self)
    }

    /// The port under which others hear of what this socket changed.
    pub(super) const fn port(&self) -> u32 {
        self.0.port()
    }

    /// Whether this process may change the rules: an empty transaction, which changes nothing.
    pub(super) fn may(&mut self) -> io::Result<()> {
        let first = self.0.next(2);
        let mut request = Builder::default();
        request.message(BATCH_BEGIN, REQUEST | ACK, first, &head(0, NFTABLES), |_| {});
        request.message(BATCH_END, REQUEST, first + 1, &head(0, NFTABLES), |_| {});
        self.0.acknowledged(&request, first, 1)
    }

    /// Blocks one address, in both tables and in one transaction.
    pub fn block(&mut self, mac: Mac) -> io::Result<()> {
        self.add(&[Element::of(INET, "blocked", mac), Element::of(BRIDGE, "blocked", mac)])
    }

    /// The drop counters of one blocked address in both tables, read back; `None` where it is not.
    pub fn read(&mut self, mac: Mac) -> io::Result<[Option<Count>; 2]> {
        Ok([self.get(INET, "blocked", mac)?, self.get(BRIDGE, "blocked", mac)?])
    }

    /// Lets one address through again.
    pub fn unblock(&mut self, mac: Mac) -> io::Result<()> {
        self.delete(&[Element::of(INET, "blocked", mac), Element::of(BRIDGE, "blocked", mac)])
    }

    /// Adds elements with timeouts, and lets those that are there begin anew: kernels before 6.12 ignore the timeout
    /// of one that is there already.
    pub(super) fn renew(&mut self, elements: &[Element]) -> io::Result<()> {
        match self.transact(&[(DELETE_ELEMENT, 0, elements), (NEW_ELEMENT, CREATE, elements)]) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => self.add(elements),
            other => other,
        }
    }

    /// Adds elements; those that are there already stay. Each batch is one transaction.
    pub(super) fn add(&mut self, elements: &[Element]) -> io::Result<()> {
        elements.chunks(BATCH).try_for_each(|batch| self.transact(&[(NEW_ELEMENT, CREATE, batch)]))
    }

    /// Deletes elements; those that are not there are no error.
    pub(super) fn delete(&mut self, elements: &[Element]) -> io::Result<()> {
        for batch in elements.chunks(BATCH) {
            match self.transact(&[(DELETE_ELEMENT, 0, batch)]) {
                // One that is not there refuses the whole transaction: then each on its own.
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
                    for element in batch {
                        match self.transact(&[(DELETE_ELEMENT, 0, std::slice::from_ref(element))]) {
                            Err(error) if error.raw_os_error() != Some(libc::ENOENT) => return Err(error),
                            _ => {}
                        }
                    }
                }
                other => other?,
            }
        }
        Ok(())
    }

    /// Changes of these kinds, with these flags, as one transaction.
    fn transact(&mut self, changes: &[(u16, u16, &[Element])]) -> io::Result<()> {
        let mut runs: Vec<(u16, u16, &Element, Vec<&Element>)> = Vec::new();
        for (kind, flags, elements) in changes {
            for element in *elements {
                match runs.last_mut() {
                    Some((of, _, first, run)) if of == kind && first.family == element.family && first.set == element.set => run.push(element),
                    _ => runs.push((*kind, *flags, element, vec![element])),
                }
            }
        }
        let count = u32::try_from(runs.len()).unwrap_or(u32::MAX);
        let begin = self.0.next(count + 2);
        let mut request = Builder::default();
        request.message(BATCH_BEGIN, REQUEST, begin, &head(0, NFTABLES), |_| {});
        for (seq, (kind, flags, first, run)) in (begin + 1..).zip(&runs) {
            request.message(*kind, REQUEST | ACK | flags, seq, &head(first.family, 0), |body| {
                body.text(1, TABLE);
                body.text(2, first.set);
                body.nest(3, |list| run.iter().for_each(|element| element.write(list)));
            });
        }
        request.message(BATCH_END, REQUEST, begin + 1 + count, &head(0, NFTABLES), |_| {});
        self.0.acknowledged(&request, begin + 1, count)
    }

    /// The counter of one element; `None` if the element, its set or its table is not there.
    pub(super) fn get(&mut self, family: u8, set: &'static str, mac: Mac) -> io::Result<Option<Count>> {
        self.find(&Element::of(family, set, mac))
    }

    /// The counter of one element with any key; `None` if it is not there.
    pub(super) fn find(&mut self, element: &Element) -> io::Result<Option<Count>> {
        let seq = self.0.next(1);
        let mut request = Builder::default();
        request.message(GET_ELEMENT, REQUEST, seq, &head(element.family, 0), |body| {
            body.text(1, TABLE);
            body.text(2, element.set);
            body.nest(3, |list| element.write(list));
        });
        match self.0.one(&request, seq, |message| elements(message).next().map(|(_, count)| count)) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            other => other,
        }
    }

    /// Every element of a set; `None` if there is no such set.
    pub(super) fn all(&mut self, family: u8, set: &str) -> io::Result<Option<BTreeMap<Vec<u8>, Count>>> {
        let build = |request: &mut Builder, seq| {
            request.message(GET_ELEMENT, REQUEST | DUMP, seq, &head(family, 0), |body| {
                body.text(1, TABLE);
                body.text(2, set);
            });
        };
        match self.0.dump(build, |message, found| found.extend(elements(message))) {
            Ok(found) => Ok(Some(found.into_iter().collect())),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The addresses of a set with their counters.
    pub(super) fn macs(&mut self, family: u8, set: &str) -> io::Result<Option<BTreeMap<Mac, Count>>> {
        let found = self.all(family, set)?;
        Ok(found.map(|found| found.into_iter().filter_map(|(key, count)| Some((Mac(*key.first_chunk()?), count))).collect()))
    }

    /// The devices and addresses of both sets of one family.
    pub(super) fn pairs(&mut self, family: u8) -> io::Result<BTreeSet<(Mac, IpAddr)>> {
        let mut pairs = BTreeSet::new();
        for set in ["svc4", "svc6"] {
            let found = self.all(family, set)?.unwrap_or_default();
            pairs.extend(found.keys().filter_map(|key| {
                let mac = Mac(*key.first_chunk()?);
                let address = match key.get(PART..)? {
                    v4 if v4.len() == 4 => IpAddr::from(*v4.first_chunk::<4>()?),
                    v6 => IpAddr::from(*v6.first_chunk::<16>()?),
                };
                Some((mac, address))
            }));
        }
        Ok(pairs)
    }

    /// The rules of our table in one family, in their order; `None` if the table is not there or asleep.
    pub(super) fn rules(&mut self, family: u8) -> io::Result<Option<Vec<Print>>> {
        let seq = self.0.next(1);
        let mut request = Builder::default();
        request.message(GET_TABLE, REQUEST, seq, &head(family, 0), |body| body.text(1, TABLE));
        let flags = self.0.one(&request, seq, |message| attr(message.payload.get(4..)?, 2)?.first_chunk().map(|flags| u32::from_be_bytes(*flags)));
        match flags {
            Ok(Some(flags)) if flags & DORMANT != 0 => return Ok(None),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        let build = |request: &mut Builder, seq| {
            request.message(GET_RULE, REQUEST | DUMP, seq, &head(family, 0), |body| body.text(1, TABLE));
        };
        self.0.dump(build, |message, found| found.extend(message.payload.get(4..).and_then(|body| rules::print(body, TABLE)))).map(Some)
    }

    /// Names of tables with flow offload: what is offloaded walks past every forward hook.
    pub(super) fn offloads(&mut self) -> io::Result<BTreeSet<String>> {
        let build = |request: &mut Builder, seq| request.message(GET_FLOWTABLE, REQUEST | DUMP, seq, &head(0, 0), |_| {});
        let read = |message: &Message<'_>, found: &mut Vec<String>| {
            found.extend(message.payload.get(4..).and_then(|body| attr(body, 1)).map(text));
        };
        Ok(self.0.dump(build, read)?.into_iter().collect())
    }

    /// Ends every tracked flow of this address: one message, the kernel walks the table.
    pub(super) fn end_flows(&mut self, mac: Mac) -> io::Result<()> {
        let seq = self.0.next(1);
        let mut request = Builder::default();
        request.message(DELETE_FLOW, REQUEST | ACK, seq, &head(0, 0), |body| {
            body.attr(MARK, &ruleset::mark(mac).to_be_bytes());
            body.attr(MARK_MASK, &u32::MAX.to_be_bytes());
        });
        match self.0.acknowledged(&request, seq, 1) {
            // Nothing is tracked yet: nothing to end.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            other => other,
        }
    }
}

/// The head of an nfnetlink message: family, version 0, resource in network order.
fn head(family: u8, resource: u16) -> [u8; 4] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low]
}

/// Keys and counters of the elements in an answer.
fn elements<'a>(message: &Message<'a>) -> impl Iterator<Item = (Vec<u8>, Count)> + use<'a> {
    let list = message.payload.get(4..).and_then(|body| attr(body, 3)).unwrap_or_default();
    attrs(list).filter_map(|(_, element)| {
        let key = attr(attr(element, 1)?, 1)?.to_vec();
        // One expression stands alone (7), several in a list (11).
        let lone = attr(element, 7).and_then(counter);
        let listed = || attrs(attr(element, 11)?).find_map(|(_, expression)| counter(expression));
        Some((key, lone.or_else(listed).unwrap_or_default()))
    })
}

fn counter(expression: &[u8]) -> Option<Count> {
    let data = attr(expression, 2).filter(|_| attr(expression, 1).map(text).as_deref() == Some("counter"))?;
    let number = |kind| attr(data, kind)?.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
    Some(Count { bytes: number(1)?, packets: number(2)? })
}
