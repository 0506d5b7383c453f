//! What nobody asks for any more goes: a year is longer than any report looks back.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use sanctum_store::{StoreError, params};

use super::{Records, ms};

/// How long messages that were sent, minutes of use, violations and answered requests are kept.
pub(crate) const KEEP: SignedDuration = SignedDuration::from_hours(24 * 365);

impl Records {
    /// Removes what is older than `before`, whose day is `day`; how many rows that were. A violation stays as long as
    /// a message about it waits.
    pub(crate) async fn prune(&self, before: Timestamp, day: Date) -> Result<usize, StoreError> {
        self.db
            .write(move |tx| {
                let letters = tx.execute(
                    "DELETE FROM outbox WHERE at<?1 AND (told IS NOT NULL OR refused IS NOT NULL)",
                    [ms(before)],
                )?;
                let violations = tx.execute(
                    "DELETE FROM violation WHERE at<?1 AND open=0 \
                     AND id NOT IN (SELECT violation FROM outbox WHERE violation IS NOT NULL)",
                    [ms(before)],
                )?;
                let usage = tx.execute("DELETE FROM usage WHERE day<?1", params![day.to_string()])?;
                Ok(letters + violations + usage)
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::civil::date;
    use sanctum_api::firewall::Verdict;
    use sanctum_api::notify::{Notice, Severity};
    use sanctum_kernel::Trace;

    use crate::records::{Letter, Records, Seen};

    fn seen(at: Timestamp, device: &str) -> Seen {
        Seen {
            at,
            written: at,
            device: device.to_owned(),
            name: device.to_owned(),
            mac: None,
            owner: None,
            rule: String::new(),
            action: "blocked".to_owned(),
            verdict: Verdict::Proven,
            trace: Trace::start().id(),
        }
    }

    fn letter(key: String, at: Timestamp) -> Letter {
        let notice = Notice {
            source: "screen".to_owned(),
            severity: Severity::Info,
            title: String::new(),
            message: String::new(),
            labels: std::collections::BTreeMap::new(),
            force_channels: Vec::new(),
            actions: Vec::new(),
            url: None,
            image: None,
            dedup_key: None,
            resolved: false,
        };
        Letter { key, at, trace: Trace::start().id(), notice }
    }

    #[tokio::test]
    async fn the_old_goes_and_what_still_waits_stays() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(&dir.path().join("screen.db")).unwrap();
        let (old, new): (Timestamp, Timestamp) =
            ("2025-01-01T00:00:00Z".parse().unwrap(), "2026-11-01T00:00:00Z".parse().unwrap());
        for (at, device) in [(old, "told"), (old, "waits"), (new, "fresh")] {
            let about = move |_: &_| letter(format!("about-{device}"), at);
            records.write_violation(seen(at, device), about).await.unwrap();
        }
        records.close_all_but(Vec::new()).await.unwrap();
        let waiting = records.waiting(10).await.unwrap();
        records.told(waiting[0].id, 1, old).await.unwrap();
        for day in [date(2025, 1, 1), date(2026, 11, 1)] {
            records.add_usage(new, day, 60, vec!["xbox".to_owned()], Vec::new()).await.unwrap();
        }
        let (before, day) = ("2025-11-22T00:00:00Z".parse().unwrap(), date(2025, 11, 22));
        assert_eq!(records.prune(before, day).await.unwrap(), 3);
        let left = records.violations(10, None).await.unwrap();
        assert_eq!(left.iter().map(|row| row.device.as_str()).collect::<Vec<_>>(), ["fresh", "waits"]);
        assert_eq!(records.waiting(10).await.unwrap().len(), 2);
        assert_eq!(records.report(10).await.unwrap().len(), 1);
        assert_eq!(records.prune(before, day).await.unwrap(), 0);
    }
}
