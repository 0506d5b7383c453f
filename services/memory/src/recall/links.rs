//! Which notes link to which, by the names they write.

use std::collections::BTreeSet;

use crate::model::Indexed;

/// Names are compared without case, and a note answers to its title and to the name of its file, as in Obsidian. A name
/// is kept as a number made of it.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Name, and a note that answers to it.
    named: BTreeSet<(u64, u32)>,
    /// Name, and a note that links to it.
    linking: BTreeSet<(u64, u32)>,
    /// Note, and a name it answers to.
    names: BTreeSet<(u32, u64)>,
    /// Note, and a name it links to.
    out: BTreeSet<(u32, u64)>,
}

impl Links {
    pub(crate) fn join(&mut self, row: u32, note: &Indexed) {
        for name in names(note) {
            self.named.insert((name, row));
            self.names.insert((row, name));
        }
        for name in links(note) {
            self.linking.insert((name, row));
            self.out.insert((row, name));
        }
    }

    /// Takes over what a note has become; touches nothing where its names and links are what they were.
    pub(crate) fn follow(&mut self, row: u32, note: &Indexed) {
        let own = |own: &BTreeSet<(u32, u64)>| -> BTreeSet<u64> {
            own.range((row, 0)..=(row, u64::MAX)).map(|(_, name)| *name).collect()
        };
        if own(&self.names) != names(note).collect() || own(&self.out) != links(note).collect() {
            self.part(row);
            self.join(row, note);
        }
    }

    pub(crate) fn part(&mut self, row: u32) {
        for (own, index) in [(&mut self.names, &mut self.named), (&mut self.out, &mut self.linking)] {
            let names: Vec<(u32, u64)> = own.range((row, 0)..=(row, u64::MAX)).copied().collect();
            for (row, name) in names {
                own.remove(&(row, name));
                index.remove(&(name, row));
            }
        }
    }

    /// Notes that a note links to, and notes that link to it.
    pub(crate) fn of(&self, row: u32) -> BTreeSet<u32> {
        let by = |own: &BTreeSet<(u32, u64)>, index: &BTreeSet<(u64, u32)>| -> Vec<u32> {
            let names = own.range((row, 0)..=(row, u64::MAX));
            names
                .flat_map(|(_, name)| index.range((*name, 0)..=(*name, u32::MAX)))
                .map(|(_, row)| *row)
                .collect()
        };
        let both = by(&self.out, &self.named).into_iter().chain(by(&self.names, &self.linking));
        both.filter(|other| *other != row).collect()
    }
}

/// What a note answers to.
fn names(note: &Indexed) -> impl Iterator<Item = u64> {
    let stem = note.head.path.rsplit('/').next().map(|file| file.strip_suffix(".md").unwrap_or(file));
    std::iter::once(note.head.title.as_str()).chain(stem).map(number)
}

fn links(note: &Indexed) -> impl Iterator<Item = u64> {
    note.links.iter().map(|name| number(name))
}

/// FNV-1a.
fn number(name: &str) -> u64 {
    let lower = name.trim().to_lowercase();
    lower
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
