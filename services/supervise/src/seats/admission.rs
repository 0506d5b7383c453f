//! Who may be loaded: a pure account of memory. It never promises what is not there.

use std::collections::BTreeMap;

/// What the machine has, as somebody read it just now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Room {
    /// Bytes that can be had without anybody being pushed out.
    pub available: u64,
    /// The share of the last ten seconds in which something had to wait for memory, in percent; absent where the kernel does
    /// not say.
    pub pressure: Option<f64>,
}

/// What must stay as it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rules {
    /// Bytes that nobody is given.
    pub(crate) keep_free: u64,
    /// More pressure than this, in percent, admits nobody.
    pub(crate) max_pressure: f64,
}

/// Why not, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub(crate) enum Refused {
    #[error(
        "it takes {} at its peak, and {} can be given: {} are available, {} of them are promised to seats that are being loaded, \
         {} stay free", size(*.peak), size(*.left), size(*.available), size(*.promised), size(*.kept)
    )]
    NoRoom { peak: u64, left: u64, available: u64, promised: u64, kept: u64 },
    #[error(
        "the machine is short of memory: something waited for it in {pressure:.0} % of the last ten seconds, {most:.0} % are allowed"
    )]
    Pressure { pressure: f64, most: f64 },
}

/// Bytes for people, to a tenth of the unit.
#[expect(clippy::cast_precision_loss, reason = "a tenth of a unit is enough")]
fn size(bytes: u64) -> String {
    let (scale, unit) = match bytes {
        0..0x10_0000 => (1 << 10, "KiB"),
        0x10_0000..0x4000_0000 => (1 << 20, "MiB"),
        _ => (1 << 30, "GiB"),
    };
    format!("{:.1} {unit}", bytes as f64 / f64::from(scale))
}

/// What is promised to seats that have not taken it yet.
#[derive(Debug, Default)]
pub(crate) struct Promises(BTreeMap<String, u64>);

impl Promises {
    /// Promises `peak` bytes to `name`, or says why not. One that has a promise keeps it.
    pub(crate) fn admit(&mut self, name: &str, peak: u64, room: Room, rules: Rules) -> Result<(), Refused> {
        if self.0.contains_key(name) {
            return Ok(());
        }
        if let Some(pressure) = room.pressure.filter(|pressure| *pressure > rules.max_pressure) {
            return Err(Refused::Pressure { pressure, most: rules.max_pressure });
        }
        let (available, promised, kept) = (room.available, self.sum(), rules.keep_free);
        let left = available.saturating_sub(promised).saturating_sub(kept);
        if peak > left {
            return Err(Refused::NoRoom { peak, left, available, promised, kept });
        }
        self.0.insert(name.to_owned(), peak);
        Ok(())
    }

    /// It has taken what it takes, or will not.
    pub(crate) fn release(&mut self, name: &str) {
        self.0.remove(name);
    }

    pub(crate) fn sum(&self) -> u64 {
        self.0.values().fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: Rules = Rules { keep_free: 512, max_pressure: 40.0 };

    fn room(available: u64) -> Room {
        Room { available, pressure: Some(0.0) }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_numbers() {
        let mut promises = Promises::default();
        assert_eq!(promises.admit("a", 1000, room(2000), RULES), Ok(()));
        let refused = promises.admit("b", 1000, room(2000), RULES);
        assert_eq!(
            refused,
            Err(Refused::NoRoom { peak: 1000, left: 488, available: 2000, promised: 1000, kept: 512 })
        );
        assert_eq!(promises.admit("a", 1000, room(0), RULES), Ok(()), "it has its promise already");
        promises.release("a");
        assert_eq!(promises.admit("b", 1000, room(2000), RULES), Ok(()));
        let short = Room { available: 1 << 40, pressure: Some(41.0) };
        assert!(matches!(promises.admit("c", 1, short, RULES), Err(Refused::Pressure { .. })));
        let text = Refused::NoRoom {
            peak: 8 << 30,
            left: 3 << 30,
            available: 4 << 30,
            promised: 1 << 29,
            kept: 1 << 29,
        }
        .to_string();
        assert!(
            text.starts_with("it takes 8.0 GiB at its peak, and 3.0 GiB can be given: 4.0 GiB"),
            "{text}"
        );
    }

    proptest! {
        /// However seats come and go, grow into their promise, and fail: what is promised and not yet taken never exceeds what
        /// was there at any admission, and in a machine where nobody else takes memory nothing is ever missing.
        #[test]
        fn never_more_than_is_there(total in 0_u64..100_000, steps in prop::collection::vec((0_u8..6, 0_usize..6, 0_u64..40_000), 1..200)) {
            let names = ["a", "b", "c", "d", "e", "f"];
            let mut promises = Promises::default();
            let (mut loading, mut loaded) = (BTreeMap::new(), BTreeMap::new());
            for (what, who, peak) in steps {
                let name = names[who];
                let used: u64 = loaded.values().sum();
                let available = total - used;
                match what {
                    0..=2 if !loading.contains_key(name) && !loaded.contains_key(name) => {
                        if promises.admit(name, peak, room(available), RULES).is_ok() {
                            loading.insert(name, peak);
                            prop_assert!(promises.sum() + RULES.keep_free <= available);
                        }
                    }
                    // It is ready and has taken it all.
                    3 => if let Some(peak) = loading.remove(name) {
                        promises.release(name);
                        loaded.insert(name, peak);
                    },
                    // It failed.
                    4 => if loading.remove(name).is_some() {
                        promises.release(name);
                    },
                    // It was unloaded.
                    _ => drop(loaded.remove(name)),
                }
                let used: u64 = loaded.values().sum();
                prop_assert!(used + promises.sum() <= total);
                prop_assert_eq!(promises.sum(), loading.values().sum::<u64>());
            }
        }
    }
}
