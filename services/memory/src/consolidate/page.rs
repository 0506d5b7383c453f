//! The report of a pass as a page for people, in the vault.

use sanctum_api::memory::Report;

/// Steps named one by one; the rest is counted.
const NAMED: usize = 500;

pub(crate) fn page(report: &Report) -> String {
    let mut page = String::new();
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for step in &report.steps {
        match counts.iter_mut().find(|(what, _)| *what == step.what) {
            Some((_, count)) => *count += 1,
            None => counts.push((&step.what, 1)),
        }
    }
    page.push_str(&format!("{} notes were looked at", report.scanned));
    let done: Vec<String> = counts.iter().map(|(what, count)| format!("{count} × {what}")).collect();
    page.push_str(&if done.is_empty() {
        "; nothing was to be done.\n".to_owned()
    } else {
        format!(": {}.\n", done.join(", "))
    });
    if report.resumed {
        page.push_str("\nThe pass was interrupted and taken up again.\n");
    }
    if let (Some(before), Some(after)) = (report.recall_before, report.recall_after) {
        page.push_str(&format!(
            "\nRecall of a fixed set of questions: {:.0} % before, {:.0} % after.\n",
            before * 100.0,
            after * 100.0
        ));
    }
    page.push_str(&format!("\nTo take it back: `sanctum memory undo {}`\n", report.run));
    for (what, _) in counts {
        page.push_str(&format!("\n## {what}\n\n"));
        for step in report.steps.iter().filter(|step| step.what == what).take(NAMED) {
            let to = step.to.as_ref().map(|to| format!(" → `{to}`")).unwrap_or_default();
            page.push_str(&format!("- `{}`{to}: {}\n", step.path, step.why));
        }
        let more = report.steps.iter().filter(|step| step.what == what).count().saturating_sub(NAMED);
        if more > 0 {
            page.push_str(&format!("- and {more} more\n"));
        }
    }
    if !report.troubles.is_empty() {
        page.push_str("\n## left\n\n");
        report.troubles.iter().for_each(|trouble| page.push_str(&format!("- {trouble}\n")));
    }
    page
}

#[cfg(test)]
mod tests {
    use sanctum_api::memory::Step;

    use super::*;

    #[test]
    fn a_person_reads_what_was_done_and_how_to_take_it_back() {
        let step = |what: &str, id: &str, to: Option<&str>| Step {
            what: what.into(),
            id: id.into(),
            path: format!("inbox/yoda/{id}.md"),
            to: to.map(str::to_owned),
            why: "it says the same".into(),
        };
        let report = Report {
            run: "run-20261122-030000".into(),
            scanned: 12,
            steps: vec![
                step("merge", "a", Some("n-1")),
                step("promote", "b", Some("knowledge/garden")),
                step("merge", "c", None),
            ],
            troubles: vec!["`inbox/yoda/d.md` was changed since".into()],
            recall_before: Some(0.9),
            recall_after: Some(0.9),
            ..Report::default()
        };
        let page = page(&report);
        for line in [
            "12 notes were looked at: 2 × merge, 1 × promote.",
            "To take it back: `sanctum memory undo run-20261122-030000`",
            "- `inbox/yoda/a.md` → `n-1`: it says the same",
            "Recall of a fixed set of questions: 90 % before, 90 % after.",
            "- `inbox/yoda/d.md` was changed since",
        ] {
            assert!(page.lines().any(|own| own == line), "{line}\n{page}");
        }
    }
}
