//! A flood of made-up addresses: recognised, told once, and kept out of memory and off the disk.

use std::collections::{BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use sanctum_api::firewall::{Fingerprint, Kind, Newcomers, Standing};
use sanctum_api::notify::Severity;
use sanctum_kernel::{Mac, Status};

use super::core::{Core, signed};
use crate::plan;
use crate::record::Record;

/// Within this time no more strangers than allowed are taken in.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// Strangers within that time while newcomers are welcome: a new house shows all its devices at once, and a /24 has
/// room for 254.
const WELCOME: usize = 256;
/// And while they are not: at night not even a party brings that many.
const CLOSED: usize = 32;
/// A flood is over when nobody new has come for this long.
const QUIET: SignedDuration = SignedDuration::from_mins(5);

/// What is known of strangers who come in numbers.
#[derive(Debug, Default)]
pub(super) struct Flood {
    /// Who was taken in within the window.
    recent: VecDeque<(Timestamp, Mac)>,
    /// The flood that is on.
    on: Option<On>,
    /// Who was taken in shortly before a flood: forgotten when gone, unless they turn out to be real.
    suspects: BTreeSet<Mac>,
    /// Who the gate had stopped at the last look: only others are news.
    pub knocked: BTreeSet<Mac>,
}

#[derive(Debug)]
struct On {
    since: Timestamp,
    last: Timestamp,
    refused: u64,
}

/// What becomes of a stranger.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    TakenIn,
    /// One too many: a flood begins.
    Begins,
    Refused,
}

impl Flood {
    fn stranger(&mut self, mac: Mac, now: Timestamp, most: usize) -> Turn {
        if let Some(on) = &mut self.on {
            (on.last, on.refused) = (now, on.refused + 1);
            return Turn::Refused;
        }
        // A clock that was stepped back makes later ones worthless.
        self.recent.retain(|(at, _)| *at <= now && now.duration_since(*at) < WINDOW);
        if self.recent.len() < most {
            self.recent.push_back((now, mac));
            return Turn::TakenIn;
        }
        self.suspects.extend(self.recent.drain(..).map(|(_, mac)| mac));
        self.on = Some(On { since: now, last: now, refused: 1 });
        Turn::Begins
    }

    /// The flood that is over, if one just ended: since when, and how many were not taken in.
    fn over(&mut self, now: Timestamp) -> Option<(Timestamp, u64)> {
        let quiet = |on: &mut On| now < on.last || now.duration_since(on.last) >= QUIET;
        self.on.take_if(quiet).map(|on| (on.since, on.refused))
    }
}

impl Core {
    /// Whether a stranger is taken in. In a flood none is: the gate needs no record to keep them out, and whoever is
    /// real is seen again after it.
    pub(super) fn takes_in(&mut self, mac: Mac) -> bool {
        let now = self.now();
        let open = plan::newcomers(&self.setup.desired, now) == Newcomers::Allow;
        let turn = self.flood.stranger(mac, now, if open { WELCOME } else { CLOSED });
        if turn == Turn::Begins {
            let fate = if open {
                "they are let through, as newcomers are welcome now: `sanctum screen` sets when they are not"
            } else {
                "the gate keeps them all out"
            };
            let detail = format!(
                "more new addresses at once than a house has devices; they are not written down one by one, and {fate}"
            );
            self.happen(Kind::Flood, None, detail.clone(), None, None);
            self.tell(
                Severity::Warn,
                "Somebody floods the network with made-up addresses",
                &detail,
                "firewall-flood",
                false,
            );
            let hint =
                "see on which port they arrive (`bridge fdb show`, or the switch's own page) and unplug it";
            self.setup.shared.well.set_hint("strangers", Status::Degraded, detail, hint);
        }
        turn == Turn::TakenIn
    }

    /// Says when a flood is over, and forgets who came with it or was not seen for as long as stories are kept.
    pub(super) fn ebb(&mut self) {
        let now = self.now();
        if let Some((since, refused)) = self.flood.over(now) {
            let detail = format!(
                "the flood of new addresses since {} is over; {refused} signs of them were passed over",
                self.wall(since)
            );
            self.happen(Kind::Flood, None, detail.clone(), None, None);
            self.tell(
                Severity::Info,
                "The flood of made-up addresses is over",
                &detail,
                "firewall-flood",
                true,
            );
            self.setup.shared.well.clear("strangers");
        }
        if self.flood.on.is_some() {
            return;
        }
        let suspects = std::mem::take(&mut self.flood.suspects);
        for mac in suspects {
            let Some(record) = self.by_mac.get(&mac).and_then(|id| self.setup.records.get(id)) else {
                continue;
            };
            if is_nobody(record) && record.present.is_empty() {
                let id = record.device.id.clone();
                self.forget(&id);
            } else if is_nobody(record) {
                self.flood.suspects.insert(mac);
            }
        }
        let keep = signed(self.setup.config.keep.0);
        let old = |record: &&Record| {
            let silent = record.device.last_seen.is_some_and(|seen| now.duration_since(seen) > keep);
            silent
                && is_stranger(record)
                && record.present.is_empty()
                && !self.setup.desired.blocks.contains_key(&record.device.id)
        };
        let old: Vec<String> =
            self.setup.records.values().filter(old).map(|record| record.device.id.clone()).collect();
        for id in &old {
            self.forget(id);
        }
    }

    /// Nothing is known of it any more.
    pub(super) fn forget(&mut self, id: &str) {
        let Some(record) = self.remove(id) else { return };
        for mac in &record.device.macs {
            self.by_mac.remove(mac);
            self.tries.remove(mac);
            self.leaving.remove(mac);
        }
    }
}

/// No person has said a word about it. Who waits for approval is kept: it would be let in when it comes again by day.
fn is_stranger(record: &Record) -> bool {
    let device = &record.device;
    let said = record.declared || device.owner.is_some() || device.tier.is_some() || record.by_hand.is_some();
    let named = device.name != device.id && device.fingerprint.hostname.as_ref() != Some(&device.name);
    !said && !named && matches!(device.standing, Standing::Seen | Standing::Automatic)
}

/// It never did what a device does: it asked for no address and had none.
fn is_nobody(record: &Record) -> bool {
    let device = &record.device;
    let quarantined =
        device.standing == Standing::Quarantined && !record.declared && record.by_hand.is_none();
    (is_stranger(record) || quarantined && device.name == device.id)
        && device.addresses.is_empty()
        && device.fingerprint == Fingerprint::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(number: u32) -> Mac {
        let [.., high, low] = number.to_be_bytes();
        Mac([2, 0, 0, 0, high, low])
    }

    #[test]
    fn a_flood_begins_once_and_ends_when_it_is_quiet() {
        let (mut flood, mut now) = (Flood::default(), Timestamp::UNIX_EPOCH);
        for n in 0..4 {
            assert_eq!(flood.stranger(mac(n), now, 4), Turn::TakenIn);
            now += SignedDuration::from_secs(1);
        }
        assert_eq!(flood.stranger(mac(4), now, 4), Turn::Begins);
        assert_eq!(flood.stranger(mac(5), now, 4), Turn::Refused);
        assert_eq!((flood.over(now), flood.suspects.len()), (None, 4));
        now += QUIET;
        assert_eq!(flood.over(now).map(|(_, refused)| refused), Some(2));
        assert_eq!((flood.over(now), flood.stranger(mac(6), now, 4)), (None, Turn::TakenIn));
    }

    #[test]
    fn one_after_the_other_is_no_flood_and_a_clock_stepped_back_is_none_either() {
        let (mut flood, mut now) = (Flood::default(), Timestamp::UNIX_EPOCH + WINDOW * 1000);
        for n in 0..1000 {
            assert_eq!(flood.stranger(mac(n), now, 4), Turn::TakenIn);
            now += WINDOW / 4;
        }
        now -= WINDOW * 100;
        assert_eq!(flood.stranger(mac(7), now, 4), Turn::TakenIn);
        assert_eq!(flood.recent.len(), 1);
    }
}
