//! Finding notes: by what they say, and by where they are.

use std::io::{self, Write};

use jiff::Timestamp;
use sanctum_api::memory::{self as api, Class, Found, Hit, Kind, Page};
use sanctum_kernel::exit;

use super::{client, count, kind, moment, said};
use crate::cli::{Cli, Outcome, Wall};
use crate::paint::Paint;

/// Characters of a passage that are shown.
const SHOWN: usize = 280;

/// Passages of notes, the best first, each with its note and why it is there.
#[derive(Debug, clap::Args)]
pub(super) struct Search {
    /// What is looked for
    #[arg(required = true, value_name = "WORDS")]
    words: Vec<String>,
    /// At most so many
    #[arg(long, short = 'n', default_value_t = 10)]
    limit: u32,
    /// What held then, not now: a day or a time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    as_of: Option<Timestamp>,
    /// Only below this folder
    #[arg(long)]
    folder: Option<String>,
    /// Only notes with this tag; all of them if there are several
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Only semantic, episodic, procedural, observation or session_summary
    #[arg(long = "type", value_name = "TYPE", value_parser = kind)]
    types: Vec<Kind>,
    /// Archived and superseded notes as well
    #[arg(long)]
    history: bool,
    /// As this agent would find them
    #[arg(long)]
    agent: Option<String>,
    /// Say what each part has added to the score
    #[arg(long)]
    why: bool,
}

pub(super) fn search(search: Search, cli: &Cli) -> Outcome {
    let Search { words, limit, as_of, folder, tags, types, history, agent, why } = search;
    let query = words.join(" ");
    let wanted = api::Search { query, limit: Some(limit), as_of, folder, tags, types, history, agent, ..api::Search::default() };
    let found = cli.call(client(cli)?.search(&wanted))?;
    let wall = cli.wall();
    cli.show(&found, |out, paint| results(out, paint, &found, &words, why, &wall))?;
    Ok(if found.results.is_empty() { exit::NO } else { exit::OK })
}

fn results(out: &mut dyn Write, paint: Paint, found: &Found, words: &[String], why: bool, wall: &Wall) -> io::Result<()> {
    if let Some(degraded) = &found.degraded {
        writeln!(out, "{} {degraded}", paint.yellow("less than everything was searched:"))?;
    }
    for hit in &found.results {
        result(out, paint, hit, words, why, wall)?;
    }
    if found.results.is_empty() {
        writeln!(out, "Nothing is remembered of that.")?;
    }
    if found.withheld > 0 {
        let what = count(usize::try_from(found.withheld).unwrap_or(usize::MAX), "note");
        writeln!(out, "{}", paint.dim(format!("{what} left out because of the class")))?;
    }
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let ms = found.took_us as f64 / 1000.0;
    writeln!(out, "{}", paint.dim(format!("{} in {ms:.1} ms", count(found.results.len(), "result"))))
}

fn result(out: &mut dyn Write, paint: Paint, hit: &Hit, words: &[String], why: bool, wall: &Wall) -> io::Result<()> {
    let about = format!("{} · {}", hit.path, wall.at(hit.updated));
    let class = if hit.class == Class::General { String::new() } else { format!(" {}", paint.yellow(said(hit.class))) };
    writeln!(out, "{} {}{class}  {}", paint.bold(&hit.title), paint.cyan(&hit.id), paint.dim(about))?;
    let mut facts = Vec::new();
    facts.extend(hit.valid_from.map(|from| format!("since {}", wall.at(from))));
    facts.extend(hit.valid_until.map(|until| format!("until {}", wall.at(until))));
    facts.extend(hit.superseded_by.as_ref().map(|newer| format!("superseded by {newer}")));
    if !hit.contradicts.is_empty() {
        facts.push(format!("contradicts {}", hit.contradicts.join(", ")));
    }
    if !facts.is_empty() {
        writeln!(out, "  {}", paint.yellow(facts.join(" · ")))?;
    }
    writeln!(out, "  {}", coloured(paint, &excerpt(&hit.text, words), words))?;
    if why {
        let w = &hit.why;
        let line = format!(
            "score {:.3} = words {:.2} + meaning {:.2} + neighbours {:.2} + session {:.2} + links {:.2} + time {:.2}, × importance {:.2} × recency {:.2}",
            hit.score, w.words, w.meaning, w.neighbours, w.session, w.links, w.time, w.importance, w.recency
        );
        writeln!(out, "  {}", paint.dim(line))?;
    }
    Ok(())
}

/// Letters and digits of what was asked for, in lower case; one letter is no word.
fn roots(words: &[String]) -> Vec<String> {
    let split = words.iter().flat_map(|word| word.split(|c: char| !c.is_alphanumeric()));
    split.map(str::to_lowercase).filter(|word| word.chars().count() > 1).collect()
}

/// The part of a passage around its first word that was asked for, on one line.
fn excerpt(text: &str, words: &[String]) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let total = line.chars().count();
    if total <= SHOWN {
        return line;
    }
    let lower = line.to_lowercase();
    let first = roots(words).iter().filter_map(|word| lower.find(word.as_str())).min().unwrap_or(0);
    let at = lower.get(..first).map_or(0, |before| before.chars().count());
    let start = at.saturating_sub(SHOWN / 4).min(total - SHOWN);
    let shown: String = line.chars().skip(start).take(SHOWN).collect();
    let (before, after) = (if start > 0 { "…" } else { "" }, if start + SHOWN < total { "…" } else { "" });
    format!("{before}{}{after}", shown.trim())
}

/// Words that begin like one that was asked for stand out.
fn coloured(paint: Paint, text: &str, words: &[String]) -> String {
    let roots = roots(words);
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let word = piece.trim_end_matches(|c: char| !c.is_alphanumeric());
        let lower = word.to_lowercase();
        let asked = !word.is_empty() && roots.iter().any(|root| lower.starts_with(root.as_str()));
        match (asked, piece.strip_prefix(word)) {
            (true, Some(rest)) => out.push_str(&format!("{}{rest}", paint.green(word))),
            _ => out.push_str(piece),
        }
    }
    out
}

/// Notes by where they are.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Only below this folder
    folder: Option<String>,
    /// Only of this agent
    #[arg(long)]
    agent: Option<String>,
    /// Only semantic, episodic, procedural, observation or session_summary
    #[arg(long = "type", value_name = "TYPE", value_parser = kind)]
    kind: Option<Kind>,
    /// Only with this tag
    #[arg(long)]
    tag: Option<String>,
    /// Only files that something is wrong with
    #[arg(long)]
    trouble: bool,
    /// At most so many
    #[arg(long, short = 'n', default_value_t = 50)]
    limit: u32,
    /// Where to go on, as the page before says
    #[arg(long)]
    cursor: Option<String>,
}

pub(super) fn list(list: List, cli: &Cli) -> Outcome {
    let List { folder, agent, kind, tag, trouble, limit, cursor } = list;
    let wanted = api::List { folder, agent, kind, tag, trouble, cursor, limit: Some(limit) };
    let page = cli.call(client(cli)?.list(&wanted))?;
    let wall = cli.wall();
    cli.show(&page, |out, paint| table(out, paint, &page, &wall))?;
    Ok(if trouble && !page.notes.is_empty() { exit::NO } else { exit::OK })
}

fn table(out: &mut dyn Write, paint: Paint, page: &Page, wall: &Wall) -> io::Result<()> {
    if page.notes.is_empty() {
        return writeln!(out, "There is no such note.");
    }
    let wide = page.notes.iter().map(|head| head.id.chars().count()).max().unwrap_or(0);
    for head in &page.notes {
        let importance = format!("{:.2}", head.importance);
        writeln!(
            out,
            "{} {:<16} {:<15} {} {}  {}",
            paint.cyan(format!("{:<wide$}", head.id)),
            wall.at(head.updated),
            said(head.kind),
            paint.dim(importance),
            paint.bold(&head.title),
            paint.dim(&head.path),
        )?;
        if let Some(trouble) = &head.trouble {
            writeln!(out, "  {} {trouble}", paint.red("✕"))?;
        }
    }
    match &page.next {
        Some(next) => writeln!(out, "{}", paint.dim(format!("more: --cursor {next}"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn an_excerpt_is_around_what_was_asked_for() {
        let long = format!("{} the Dentist is at nine {}", "lorem ipsum ".repeat(40), "dolor sit ".repeat(40));
        let shown = excerpt(&long, &words("dentist?"));
        assert!(shown.contains("Dentist is at nine") && shown.starts_with('…') && shown.ends_with('…'), "{shown}");
        assert!(shown.chars().count() <= SHOWN + 2);
        assert_eq!(excerpt("two\n lines", &words("x")), "two lines");
        assert!(excerpt(&"ü".repeat(1000), &words("ü")).chars().count() <= SHOWN + 2);
    }

    #[test]
    fn nothing_is_lost_by_colouring() {
        let text = "Müller's dentist, at 9:30 — “soon”";
        assert_eq!(coloured(Paint::plain(), text, &words("dentist müller soon")), text);
    }
}
