//! The table of the bars.

use serde_json::{Map, Value};

use crate::gateways::NAMES;

/// Title, key, digits after the point, and the bar as a multiple of the bare pass-through or as a number.
const ROWS: [(&str, &str, usize, &str); 21] = [
    ("requests/s, 64 connections", "many_per_s", 0, ""),
    ("  of direct", "many_share", 3, ">= 0.5"),
    ("  CPU us/request", "many_cpu_us", 0, "<= 2x bare"),
    ("added ms, 1 connection, p50", "one_p50_added_ms", 3, "<= 1.25x bare"),
    ("  p99", "one_p99_added_ms", 3, "<= 2x bare"),
    ("first byte, 1 connection, p50 ms", "first_one_p50_ms", 3, "below peers"),
    ("  p99", "first_one_p99_ms", 3, "below peers"),
    ("first byte, 64 paced, p50 ms", "first_many_p50_ms", 3, "below peers"),
    ("  p99", "first_many_p99_ms", 3, "below peers"),
    ("streams/s, 64 connections", "streams_per_s", 0, ""),
    ("  first byte, p50 ms", "streams_first_p50_ms", 2, ""),
    ("  CPU us/stream of 50", "streams_cpu_us", 0, "<= 2x bare"),
    ("translated streams/s", "translated_per_s", 0, ""),
    ("  CPU us/stream of 50", "translated_cpu_us", 0, "<= 4x bare"),
    ("200 KB prompt, added p50 ms", "large_p50_added_ms", 3, "<= 1.5x bare"),
    ("  p99", "large_p99_added_ms", 3, ""),
    ("memory idle, PSS MB", "idle_mb", 1, "<= 15"),
    ("  after the requests", "after_mb", 1, "<= 30"),
    ("  requests", "requests", 0, ""),
    ("spawn to first 200, ms", "start_ms", 0, "<= 50"),
    ("failed answers", "bad", 0, "0"),
];

/// A column for every gateway that ran; `-` where it has no such row.
pub(crate) fn print(all: &Map<String, Value>) {
    let names: Vec<&str> = NAMES.into_iter().filter(|name| all.contains_key(*name)).collect();
    let head = names.iter().fold(String::new(), |head, name| format!("{head}{name:>12}"));
    println!("\n{:<34}{head}  bar", "");
    for (title, key, digits, bar) in ROWS {
        let cell = |name: &&str| {
            let value = all.get(*name).and_then(|rows| rows.get(key)).and_then(Value::as_f64);
            value.map_or_else(|| format!("{:>12}", "-"), |value| format!("{value:>12.digits$}"))
        };
        let cells: String = names.iter().map(cell).collect();
        println!("{title:<34}{cells}  {bar}");
    }
    for (name, rows) in all {
        let bad = rows.as_object().into_iter().flatten().filter(|(key, _)| key.ends_with("_bad"));
        for (key, value) in bad {
            println!("{name}: {key}: {value}");
        }
    }
}
