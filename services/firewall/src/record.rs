//! A device as it is kept: what everybody may see of it, and what only the service needs.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sanctum_api::firewall::{Block, Device, Fingerprint, Standing};
use sanctum_kernel::{House, Mac, house};
use serde::{Deserialize, Serialize};

/// One device. `device.block` is never kept: it is looked at anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub device: Device,
    /// Named in `sanctum.toml`.
    #[serde(default)]
    pub declared: bool,
    /// Addresses that are on the network.
    #[serde(default)]
    pub present: BTreeSet<Mac>,
    /// A block that a person asked for.
    #[serde(default)]
    pub by_hand: Option<Block>,
    /// The block that was last announced, so that a restart announces nothing twice.
    #[serde(default)]
    pub announced: Option<Block>,
    /// When the block that was last announced began.
    #[serde(default)]
    pub blocked_since: Option<Timestamp>,
    /// Since when a block of single services has been missing; it survives restarts.
    #[serde(default)]
    pub missing_since: Option<Timestamp>,
    /// Since when everything is closed in its place.
    #[serde(default)]
    pub closed_since: Option<Timestamp>,
    /// Addresses that joined this device by `same_as`, with what they showed before.
    #[serde(default)]
    pub merged: BTreeMap<Mac, Fingerprint>,
    /// Devices that a person has said this one is not.
    #[serde(default)]
    pub refused: BTreeSet<String>,
}

impl Record {
    /// A device nobody has named.
    pub(crate) fn newcomer(mac: Mac, standing: Standing, now: Timestamp) -> Self {
        let id = id_of(mac);
        Self::new(Device {
            name: id.clone(),
            id,
            macs: vec![mac],
            addresses: Vec::new(),
            owner: None,
            tier: None,
            standing,
            vendor: crate::identity::maker(mac).map(|(name, _)| name.to_owned()),
            kind: None,
            fingerprint: Fingerprint::default(),
            resembles: None,
            online: false,
            first_seen: Some(now),
            last_seen: Some(now),
            block: None,
            bytes: 0,
        })
    }

    fn new(device: Device) -> Self {
        Self {
            device,
            declared: false,
            present: BTreeSet::new(),
            by_hand: None,
            announced: None,
            blocked_since: None,
            missing_since: None,
            closed_since: None,
            merged: BTreeMap::new(),
            refused: BTreeSet::new(),
        }
    }

    fn declared(name: &str, said: &house::Device) -> Self {
        let nobody = Mac([0; 6]);
        let mut record = Self::newcomer(
            said.mac.first().copied().unwrap_or(nobody),
            Standing::Known,
            Timestamp::UNIX_EPOCH,
        );
        name.clone_into(&mut record.device.id);
        (record.device.first_seen, record.device.last_seen) = (None, None);
        record.say(name, said);
        record
    }

    /// Takes over what the configuration says.
    fn say(&mut self, name: &str, said: &house::Device) {
        let merged = self.merged.keys().filter(|mac| !said.mac.contains(mac));
        self.device.macs = said.mac.iter().chain(merged).copied().collect();
        self.device.name = said.name.clone().unwrap_or_else(|| name.to_owned());
        self.device.owner.clone_from(&said.owner);
        self.device.tier = Some(said.tier);
        self.device.standing = Standing::Known;
        self.device.vendor = self
            .device
            .macs
            .iter()
            .find_map(|mac| crate::identity::maker(*mac))
            .map(|(maker, _)| maker.to_owned());
        self.device.resembles = None;
        self.declared = true;
    }

    /// Whether strangers' rules do not apply to it.
    pub(crate) const fn is_known(&self) -> bool {
        matches!(self.device.standing, Standing::Known | Standing::Seen)
    }
}

/// The id of a device that nobody has named: its first address, with `-`.
pub(crate) fn id_of(mac: Mac) -> String {
    mac.to_string().replace(':', "-")
}

/// What was kept, with what the configuration says laid over it. The configuration wins every address it names.
pub(crate) fn seed(kept: Vec<Record>, house: &House) -> BTreeMap<String, Record> {
    let mut records: BTreeMap<String, Record> =
        kept.into_iter().map(|record| (record.device.id.clone(), record)).collect();
    for (name, said) in &house.device {
        for (id, other) in &mut records {
            if id != name {
                other.device.macs.retain(|mac| !said.mac.contains(mac));
                other.merged.retain(|mac, _| !said.mac.contains(mac));
            }
        }
        records.entry(name.clone()).or_insert_with(|| Record::declared(name, said)).say(name, said);
    }
    for (id, record) in &mut records {
        record.declared &= house.device.contains_key(id);
    }
    records.retain(|_, record| record.declared || !record.device.macs.is_empty());
    records
}
