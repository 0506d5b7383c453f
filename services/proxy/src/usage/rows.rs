//! `GET /usage`: the sums as a table.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Span;
use jiff::civil::Date;
use sanctum_api::Problem;
use sanctum_api::proxy::UsageRow;

use super::cells::Sums;
use super::log::Log;

/// More than ten years is a slip of the hand.
const MOST_DAYS: u32 = 3660;
/// How long a caller waits while the log is being counted anew.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a table of usage has a row for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Agent,
    Model,
    Day,
}

impl std::str::FromStr for By {
    type Err = Problem;

    fn from_str(word: &str) -> Result<Self, Problem> {
        match word {
            "agent" => Ok(Self::Agent),
            "model" => Ok(Self::Model),
            "day" => Ok(Self::Day),
            other => Err(Problem::field("by", other, "`agent`, `model`, `day`")),
        }
    }
}

#[derive(Debug, Default)]
struct Row {
    sums: Sums,
    daily: BTreeMap<Date, u64>,
}

/// The last `days` local days, today included. Agents and models come with the dearest first, days with the oldest
/// first and each of them, also one without a request. Blocks the thread while the log is being counted.
pub fn rows(log: &Log, by: &str, days: u32) -> Result<Vec<UsageRow>, Problem> {
    let by: By = by.parse()?;
    if days == 0 || days > MOST_DAYS {
        return Err(Problem::field("days", days.to_string(), format!("1 to {MOST_DAYS}")));
    }
    let last = log.today();
    let first = last.checked_sub(Span::new().days(i64::from(days) - 1)).unwrap_or(Date::MIN);
    let cells = log.sums((first, last), PATIENCE).ok_or_else(|| {
        Problem::new(503, "counting", "the usage log is being counted").hint("ask again in a few seconds")
    })?;
    let span: Vec<Date> = first.series(Span::new().days(1)).take_while(|day| *day <= last).collect();
    let mut table: BTreeMap<String, Row> = BTreeMap::new();
    if by == By::Day {
        table.extend(span.iter().map(|day| (day.to_string(), Row::default())));
    }
    for cell in cells {
        let key = match by {
            By::Agent => cell.agent,
            By::Model => cell.model,
            By::Day => cell.day.to_string(),
        };
        let row = table.entry(key).or_default();
        row.sums.add(&cell.sums);
        let day = row.daily.entry(cell.day).or_default();
        *day = day.saturating_add(cell.sums.nanos);
    }
    let mut table: Vec<(String, Row)> = table.into_iter().collect();
    if by != By::Day {
        table.sort_by(|(a, one), (b, other)| other.sums.nanos.cmp(&one.sums.nanos).then_with(|| a.cmp(b)));
    }
    Ok(table.into_iter().map(|(key, row)| shown(key, &row, &span)).collect())
}

fn shown(key: String, row: &Row, span: &[Date]) -> UsageRow {
    let dollars = |nanos: u64| crate::kinds::Nano(nanos).as_dollars();
    let daily = |day: &Date| dollars(row.daily.get(day).copied().unwrap_or(0));
    UsageRow {
        key,
        requests: row.sums.requests,
        failed: row.sums.failed,
        tokens_in: row.sums.input,
        tokens_cached: row.sums.cached,
        tokens_out: row.sums.output,
        tokens_reasoning: row.sums.reasoning,
        cost_usd: row.sums.cost().as_dollars(),
        estimated: row.sums.estimated,
        daily_usd: span.iter().map(daily).collect(),
    }
}

/// `GET /usage` without the door: [`rows`], off the threads that serve.
pub async fn report(log: &Log, by: String, days: u32) -> Result<Vec<UsageRow>, Problem> {
    let log = log.clone();
    let counted = tokio::task::spawn_blocking(move || rows(&log, &by, days)).await;
    counted.unwrap_or_else(|_| Err(Problem::new(500, "inside", "something inside failed")))
}
