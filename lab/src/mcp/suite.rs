//! The protocol's own conformance suite: every scenario that a revision requires of a server.

use std::collections::BTreeSet;

use sanctum_kernel::Failure;
use sanctum_testkit::House;
use tokio::process::Command;

use super::{Tools, fixtures};
use crate::report::Report;

/// Both revisions that are served.
const REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];

pub(super) async fn run(tools: &Tools, report: &mut Report) -> Result<(), Failure> {
    let house = House::new(&fixtures::CATALOGUE).start().await;
    let url = format!("http://{}/mcp", house.addr("fixtures"));
    for revision in REVISIONS {
        report.part("", &format!("conformance suite, revision {revision}"));
        let listed = suite(tools, &["list", "--requirements", revision]).await?.0;
        let required = required(&listed);
        let out = tempfile::tempdir()?;
        let out = out.path().display().to_string();
        let words = ["server", "--url", &url, "--requirements", revision, "-o", &out];
        let (said, well) = suite(tools, &words).await?;
        let seen = scenarios(&said);
        let mut checks = 0;
        for name in &required {
            match seen.iter().find(|scenario| scenario.name == *name) {
                Some(scenario) if scenario.failed == 0 && scenario.passed > 0 => checks += scenario.passed,
                Some(scenario) => {
                    let failed = format!("{} of its checks failed", scenario.failed);
                    report.check(&format!("{revision}: {name}"), false, failed);
                }
                None => report.check(&format!("{revision}: {name}"), false, "it was not run"),
            }
        }
        let what = format!("{revision}: all {} required scenarios pass", required.len());
        report.check(&what, well && !required.is_empty(), format!("{checks} checks"));
        let beyond =
            seen.iter().filter(|scenario| !required.contains(&scenario.name) && scenario.failed == 0);
        let beyond: Vec<&str> = beyond.map(|scenario| scenario.name.as_str()).collect();
        report.note(format!("not required, and passing as well: {}", beyond.join(", ")));
    }
    house.stop().await;
    Ok(())
}

async fn suite(tools: &Tools, words: &[&str]) -> Result<(String, bool), Failure> {
    let program = tools.packages.join("@modelcontextprotocol/conformance/dist/index.js");
    let output = Command::new(&tools.node).arg(program).args(words).kill_on_drop(true).output().await?;
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success()))
}

/// The names below `Server scenarios`, up to the empty line.
fn required(listed: &str) -> BTreeSet<String> {
    let after = listed.lines().skip_while(|line| !line.starts_with("Server scenarios")).skip(1);
    after.map_while(|line| line.trim().strip_prefix("- ")).map(str::to_owned).collect()
}

#[derive(Debug, PartialEq, Eq)]
struct Scenario {
    name: String,
    passed: u32,
    failed: u32,
}

/// The lines of the summary: `✓ ping: 2 passed, 0 failed`.
fn scenarios(said: &str) -> Vec<Scenario> {
    let summary = said.lines().skip_while(|line| !line.contains("=== SUMMARY ==="));
    let scenario = |line: &str| {
        let (name, counts) = line.trim_start_matches(['✓', '✗', ' ']).split_once(": ")?;
        let (passed, failed) = counts.split_once(" passed, ")?;
        let failed = failed.split_whitespace().next()?;
        Some(Scenario { name: name.to_owned(), passed: passed.parse().ok()?, failed: failed.parse().ok()? })
    };
    summary.filter(|line| !line.starts_with("Total")).filter_map(scenario).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_read() {
        let said = "✓ early: 1 passed, 0 failed\n=== SUMMARY ===\n✓ ping: 2 passed, 0 failed\n✗ tools-list: 3 passed, 1 failed\n\nTotal: 5 passed, 1 failed\n";
        let of = |name: &str, passed, failed| Scenario { name: name.to_owned(), passed, failed };
        assert_eq!(scenarios(said), [of("ping", 2, 0), of("tools-list", 3, 1)]);
        let listed =
            "Required\n\nServer scenarios (test):\n  - ping\n  - tools-list\n\nClient scenarios\n  - x\n";
        assert_eq!(required(listed).into_iter().collect::<Vec<_>>(), ["ping", "tools-list"]);
    }
}
