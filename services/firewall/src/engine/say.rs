//! What people and rules say: the intended state, names, blocks by hand, imports.

use std::collections::{BTreeMap, BTreeSet};

use sanctum_api::Problem;
use sanctum_api::firewall::{Block, Desired, Device, Export, Kind, Naming, Scope, Standing};
use sanctum_http::Refusal;
use sanctum_kernel::Mac;

use super::core::Core;
use super::refused_store;
use crate::ledger::Entry;
use crate::record::{Record, id_of};
use crate::{identity, plan};

impl Core {
    /// Replaces the intended state: written down first, then made so.
    pub(crate) async fn put_desired(&mut self, desired: Desired) -> Result<Desired, Refusal> {
        let current = &self.setup.desired;
        if desired == *current {
            self.round().await;
            return Ok(desired);
        }
        if desired.version != current.version + 1 {
            return Err(Refusal(Problem {
                field: Some("version".to_owned()),
                value: Some(desired.version.to_string()),
                allowed: Some((current.version + 1).to_string()),
                ..Problem::conflict("the intended state has changed since you looked")
                    .hint("read `GET /desired` again and send your change with its version plus one")
            }));
        }
        for (id, block) in &desired.blocks {
            if !self.setup.records.contains_key(id) {
                let known: Vec<&str> = self.setup.records.keys().map(String::as_str).take(20).collect();
                return Err(Problem::field(
                    format!("blocks.{id}"),
                    id,
                    format!("a device: {}", known.join(", ")),
                )
                .into());
            }
            let at = format!("blocks.{id}.");
            check_block(&at, block)?;
            self.check_names(&at, block)?;
        }
        let entry = Entry { desired: Some(desired.clone()), ..Entry::default() };
        self.setup.ledger.write(entry).await.map_err(|error| refused_store(&error))?;
        self.setup.desired = desired.clone();
        self.round().await;
        Ok(desired)
    }

    pub(crate) async fn put_block(&mut self, id: &str, block: Block) -> Result<Device, Refusal> {
        check_block("", &block)?;
        self.check_names("", &block)?;
        if block.until.is_some_and(|until| until <= self.now()) {
            let until = block.until.map(|until| until.to_string()).unwrap_or_default();
            return Err(Problem::field("until", until, "a moment in the future").into());
        }
        let record = self.record(id)?;
        if record.by_hand.as_ref() != Some(&block) {
            record.by_hand = Some(block);
            self.touch(id);
        }
        self.round().await;
        self.shown_device(id)
    }

    /// Lifts whatever block the device has: a person's, the rules', or a newcomer's own.
    pub(crate) async fn unblock(&mut self, id: &str) -> Result<Device, Refusal> {
        // First what may be refused, so that a refusal has changed nothing.
        if self.setup.desired.blocks.contains_key(id) {
            let mut desired = self.setup.desired.clone();
            desired.blocks.remove(id);
            desired.version += 1;
            let entry = Entry { desired: Some(desired.clone()), ..Entry::default() };
            self.setup.ledger.write(entry).await.map_err(|error| refused_store(&error))?;
            self.setup.desired = desired;
        }
        let record = self.record(id)?;
        record.by_hand = None;
        if !record.is_known() {
            record.device.standing = Standing::Known;
        }
        self.touch(id);
        self.round().await;
        self.shown_device(id)
    }

    /// What a person says of a device: all of it, or nothing.
    pub(crate) async fn name(&mut self, id: &str, naming: Naming) -> Result<Device, Refusal> {
        let shown = self.whole(|core| core.named(id, naming)).await?;
        self.round().await;
        self.shown_device(&shown)
    }

    /// Returns the id of the device that it is now.
    fn named(&mut self, id: &str, naming: Naming) -> Result<String, Refusal> {
        let record = self.record(id)?;
        if let Some(name) = &naming.name
            && (name.trim().is_empty() || name.len() > 100)
        {
            return Err(Problem::field("name", name, "1 to 100 characters").into());
        }
        if record.declared && (naming.name.is_some() || naming.owner.is_some() || naming.tier.is_some()) {
            return Err(Refusal(
                Problem::conflict(format!("`{id}` is named in the configuration"))
                    .hint(format!("change `[device.{id}]` in sanctum.toml, which wins at every start")),
            ));
        }
        record.device.name = naming.name.unwrap_or_else(|| record.device.name.clone());
        record.device.owner = naming.owner.or(record.device.owner.take());
        record.device.tier = naming.tier.or(record.device.tier);
        record.device.kind = naming.kind.or(record.device.kind.take());
        match naming.approved {
            Some(true) => record.device.standing = Standing::Known,
            Some(false) if !record.declared => record.device.standing = Standing::Quarantined,
            _ => {}
        }
        self.touch(id);
        let mut shown = id.to_owned();
        if let Some(known) = naming.same_as {
            self.merge(id, &known)?;
            shown = known;
        }
        if let Some(mac) = naming.apart {
            self.part(&shown, mac)?;
        }
        Ok(shown)
    }

    /// The addresses of `id` join the known device's.
    fn merge(&mut self, id: &str, known: &str) -> Result<(), Refusal> {
        if id == known {
            return Err(Problem::field("same_as", known, "another device").into());
        }
        if !self.setup.records.contains_key(known) {
            return Err(Problem::field("same_as", known, "a device that is known").into());
        }
        if self.record(id)?.declared {
            return Err(Refusal(
                Problem::conflict(format!(
                    "`{id}` is named in the configuration and cannot become another device"
                ))
                .hint(format!("move its addresses to `[device.{known}]` in sanctum.toml")),
            ));
        }
        let Some(newcomer) = self.remove(id) else { return Ok(()) };
        let into = self.record(known)?;
        for mac in &newcomer.device.macs {
            into.merged.insert(*mac, newcomer.device.fingerprint.clone());
            if !into.device.macs.contains(mac) {
                into.device.macs.push(*mac);
            }
        }
        into.present.extend(&newcomer.present);
        into.device.online |= newcomer.device.online;
        into.device.bytes += newcomer.device.bytes;
        into.device.last_seen = into.device.last_seen.max(newcomer.device.last_seen);
        into.device.addresses.extend(newcomer.device.addresses);
        if self.setup.desired.blocks.remove(id).is_some() {
            self.setup.desired.version += 1;
        }
        self.touch(known);
        self.index();
        Ok(())
    }

    /// Undoes a merge: the address becomes a device of its own again, and is not proposed for this one again.
    fn part(&mut self, id: &str, mac: Mac) -> Result<(), Refusal> {
        let now = self.now();
        let record = self.record(id)?;
        let Some(fingerprint) = record.merged.remove(&mac) else {
            let merged: Vec<String> = record.merged.keys().map(Mac::to_string).collect();
            let allowed = if merged.is_empty() {
                "nothing: no address was ever joined".to_owned()
            } else {
                merged.join(", ")
            };
            return Err(Problem::field("apart", mac.to_string(), allowed).into());
        };
        record.device.macs.retain(|other| *other != mac);
        let here = record.present.remove(&mac);
        record.device.online = !record.present.is_empty();
        self.touch(id);
        let mut apart = Record::newcomer(mac, Standing::Seen, now);
        apart.device.kind = identity::kind(mac, &fingerprint).map(str::to_owned);
        apart.device.name = fingerprint.hostname.clone().unwrap_or_else(|| id_of(mac));
        apart.device.fingerprint = fingerprint;
        apart.device.online = here;
        apart.present = here.then_some(mac).into_iter().collect();
        apart.refused = BTreeSet::from([id.to_owned()]);
        let fresh = id_of(mac);
        self.setup.records.insert(fresh.clone(), apart);
        self.touch(&fresh);
        self.index();
        Ok(())
    }

    /// Takes over devices and intentions of an export: all of it, or nothing.
    pub(crate) async fn import(&mut self, export: Export) -> Result<Vec<Device>, Refusal> {
        self.check_export(&export)?;
        self.whole(|core| {
            core.imported(export);
            Ok(())
        })
        .await?;
        self.round().await;
        Ok(self.setup.records.values().map(|record| self.device(record)).collect())
    }

    fn imported(&mut self, export: Export) {
        for device in export.devices {
            let others: Vec<String> = device
                .macs
                .iter()
                .filter_map(|mac| self.by_mac.get(mac))
                .filter(|id| **id != device.id)
                .cloned()
                .collect();
            for other in &others {
                drop(self.remove(other));
            }
            let id = device.id.clone();
            let declared = self.setup.records.get(&id).is_some_and(|record| record.declared);
            if !declared {
                let mac = device.macs.first().copied().unwrap_or(Mac([0; 6]));
                let record =
                    self.setup.records.entry(id.clone()).or_insert_with(|| {
                        Record::newcomer(mac, device.standing, self.setup.shared.clock.now())
                    });
                record.device = Device { block: None, online: record.device.online, ..device };
            }
            self.touch(&id);
        }
        self.index();
        let version = self.setup.desired.version + 1;
        self.setup.desired = Desired { version, ..export.desired };
    }

    /// Everything that an export can be refused for, before anything of it is taken.
    fn check_export(&self, export: &Export) -> Result<(), Refusal> {
        if export.format != 1 {
            return Err(Problem::field("format", export.format.to_string(), "1").into());
        }
        let mut owners = BTreeMap::new();
        let mut ids = BTreeSet::new();
        for (at, device) in export.devices.iter().enumerate() {
            if device.id.is_empty() || device.id.len() > 100 || device.id.contains('/') {
                let allowed = "1 to 100 characters without a slash";
                return Err(Problem::field(format!("devices[{at}].id"), &device.id, allowed).into());
            }
            if !ids.insert(&device.id) {
                return Err(Problem::field(format!("devices[{at}].id"), &device.id, "every id once").into());
            }
            for mac in &device.macs {
                if mac.is_group() {
                    let allowed = "an address of one device, not of a group";
                    return Err(
                        Problem::field(format!("devices[{at}].macs"), mac.to_string(), allowed).into()
                    );
                }
                let kept = self.by_mac.get(mac).filter(|id| {
                    **id != device.id && self.setup.records.get(*id).is_some_and(|record| record.declared)
                });
                if let Some(other) = owners.insert(*mac, device.id.clone()).or(kept.cloned()) {
                    return Err(Refusal(Problem {
                        field: Some(format!("devices[{at}].macs")),
                        value: Some(mac.to_string()),
                        ..Problem::conflict(format!(
                            "`{other}` and `{}` have the same address {mac}",
                            device.id
                        ))
                        .hint("an address belongs to one device: remove it from the other")
                    }));
                }
            }
        }
        for (id, block) in &export.desired.blocks {
            if !ids.contains(id) && !self.setup.records.contains_key(id) {
                let field = format!("desired.blocks.{id}");
                return Err(Problem::field(field, id, "a device of `devices` or of this house").into());
            }
            let at = format!("desired.blocks.{id}.");
            check_block(&at, block)?;
            self.check_names(&at, block)?;
        }
        Ok(())
    }

    /// Everything that was said, and what the router holds.
    pub(crate) async fn export(&mut self) -> Export {
        let router =
            self.setup.backend.export().await.unwrap_or_else(|error| format!("could not be read: {error}"));
        let devices = self
            .setup
            .records
            .values()
            .map(|record| Device { block: None, ..record.device.clone() })
            .collect();
        Export { format: 1, devices, desired: self.setup.desired.clone(), router }
    }

    /// Switches enforcement off or on again. Nothing is torn down here: that is the recovery line's work.
    pub(crate) async fn switch(&mut self, off: bool) {
        if self.off != off {
            let what = if off {
                "enforcement is switched off by a person"
            } else {
                "enforcement is switched on again"
            };
            self.happen(Kind::Drift, None, what.to_owned(), None, None);
        }
        self.off = off;
        self.held = None;
        self.round().await;
    }

    /// A name that means nothing to this router is refused: taken, it would be a block that nobody makes.
    fn check_names(&self, at: &str, block: &Block) -> Result<(), Refusal> {
        let (Some(known), Scope::Services(names)) = (self.setup.backend.services(), &block.scope) else {
            return Ok(());
        };
        let Some(unknown) = names.iter().find(|name| !known.contains(*name)) else { return Ok(()) };
        let known: Vec<String> = known.into_iter().collect();
        let problem = Problem::field(format!("{at}scope.services"), unknown, known.join(", "));
        Err(problem.hint("a name of your own goes with its domains into `[firewall.services]`").into())
    }

    fn record(&mut self, id: &str) -> Result<&mut Record, Refusal> {
        let id = match id.parse::<Mac>() {
            Ok(mac) => self.by_mac.get(&mac).cloned().unwrap_or_else(|| id.to_owned()),
            Err(_) => id.to_owned(),
        };
        self.setup.records.get_mut(&id).ok_or_else(|| {
            Refusal(Problem::not_found("device", id).hint(
                "`sanctum devices` (`GET /devices`) lists the devices of the house, by id and by address",
            ))
        })
    }

    fn shown_device(&mut self, id: &str) -> Result<Device, Refusal> {
        let id = self.record(id)?.device.id.clone();
        let record = self.setup.records.get(&id).ok_or_else(|| Refusal(Problem::not_found("device", id)))?;
        debug_assert!(
            plan::wanted(record, &self.setup.desired, self.setup.shared.clock.now()).is_none()
                || self.states.contains_key(&record.device.id)
        );
        Ok(self.device(record))
    }

    /// The id behind a word: an id, or an address of a device.
    pub(crate) fn id_behind(&mut self, word: &str) -> Result<String, Refusal> {
        self.record(word).map(|record| record.device.id.clone())
    }
}

fn check_block(at: &str, block: &Block) -> Result<(), Refusal> {
    if let Scope::Services(names) = &block.scope
        && (names.is_empty() || names.iter().any(|name| name.trim().is_empty()))
    {
        return Err(Problem::field(
            format!("{at}scope.services"),
            names.join(", "),
            "at least one name, such as `youtube`",
        )
        .into());
    }
    if block.reason.len() > 500 {
        return Err(Problem::field(
            format!("{at}reason"),
            format!("{} bytes", block.reason.len()),
            "at most 500 bytes",
        )
        .into());
    }
    Ok(())
}
