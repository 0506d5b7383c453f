//! One note: read, written, put away, taken back.

use std::io::{self, IsTerminal, Read, Write as Out};

use jiff::Timestamp;
use sanctum_api::memory::{self as api, Change, Class, Kind, Link, Links, Note, Outcome as Made, Written};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Failure, exit};

use super::{class, client, count, kind, moment, patient, said};
use crate::cli::{Cli, Outcome, Wall};
use crate::paint::Paint;

pub(super) fn read(id: &str, cli: &Cli) -> Outcome {
    let note = cli.call(client(cli)?.read(id))?;
    let wall = cli.wall();
    cli.show(&note, |out, paint| whole(out, paint, &note, &wall))?;
    Ok(exit::OK)
}

fn whole(out: &mut dyn Out, paint: Paint, note: &Note, wall: &Wall) -> io::Result<()> {
    let head = &note.head;
    writeln!(out, "{}  {}", paint.bold(&head.title), paint.cyan(&head.id))?;
    let used = format!("used {}×", head.accesses);
    let origin = format!("by {}", head.agent.clone().unwrap_or_else(|| said(head.origin)));
    let facts = [head.path.clone(), said(head.kind), origin, format!("importance {:.2}", head.importance), used];
    writeln!(out, "{}", paint.dim(facts.join(" · ")))?;
    let times = format!("created {}, changed {}", wall.at(head.created), wall.at(head.updated));
    writeln!(out, "{}", paint.dim(format!("{times} · version {}", head.version)))?;
    let mut more = Vec::new();
    if head.class != Class::General {
        more.push(format!("class {}: it never leaves the house", said(head.class)));
    }
    more.extend(head.valid_from.map(|from| format!("holds since {}", wall.at(from))));
    more.extend(head.valid_until.map(|until| format!("held until {}", wall.at(until))));
    more.extend(head.superseded_by.as_ref().map(|newer| format!("superseded by {newer}")));
    more.extend(head.key.as_ref().map(|key| format!("key {key}")));
    more.extend(head.source.as_ref().map(|source| format!("from {source}")));
    if !head.tags.is_empty() {
        more.push(format!("#{}", head.tags.join(" #")));
    }
    if !note.contradicts.is_empty() {
        more.push(format!("contradicts {}", note.contradicts.join(", ")));
    }
    if !more.is_empty() {
        writeln!(out, "{}", paint.yellow(more.join(" · ")))?;
    }
    if let Some(trouble) = &head.trouble {
        writeln!(out, "{} {trouble}", paint.red("✕"))?;
    }
    writeln!(out, "\n{}", note.text.trim_end())
}

/// Keep something, or change a note by its id. Without TEXT it is read from the standard input.
#[derive(Debug, clap::Args)]
pub(super) struct Write {
    /// What to keep, as Markdown
    text: Option<String>,
    /// The note to change
    #[arg(long)]
    id: Option<String>,
    /// Only if it is still at this version
    #[arg(long, requires = "id", value_name = "VERSION")]
    at_version: Option<String>,
    /// Its title; otherwise its first heading
    #[arg(long)]
    title: Option<String>,
    /// Where, such as `knowledge/garden`
    #[arg(long)]
    folder: Option<String>,
    /// semantic, episodic, procedural, observation or session_summary
    #[arg(long = "type", value_name = "TYPE", value_parser = kind)]
    kind: Option<Kind>,
    /// general, health or finance: the last two never leave the house
    #[arg(long, value_parser = class)]
    class: Option<Class>,
    /// What it is a statement about, such as `dentist.phone`: a newer one takes the place of an older
    #[arg(long)]
    key: Option<String>,
    /// What it was taken from
    #[arg(long)]
    source: Option<String>,
    /// From when on it holds
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<Timestamp>,
    /// Until when it held
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Timestamp>,
    /// From 0 to 1
    #[arg(long)]
    importance: Option<f32>,
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// In whose name
    #[arg(long)]
    agent: Option<String>,
}

pub(super) fn write(write: Write, cli: &Cli) -> Outcome {
    let text = match write.text {
        Some(text) => text,
        None => piped()?,
    };
    let note = api::Write {
        id: write.id,
        version: write.at_version,
        text,
        title: write.title,
        folder: write.folder,
        kind: write.kind,
        class: write.class,
        agent: write.agent,
        source: write.source,
        key: write.key,
        valid_from: write.from,
        valid_until: write.until,
        importance: write.importance,
        tags: write.tags,
        ..api::Write::default()
    };
    let written = cli.call(client(cli)?.write(&note))?;
    cli.show(&written, |out, paint| outcome(out, paint, &written))?;
    Ok(if matches!(written.outcome, Made::Created | Made::Changed) { exit::OK } else { exit::NO })
}

fn piped() -> Result<String, Failure> {
    let mut input = io::stdin();
    if input.is_terminal() {
        return Err(Hinted::new(exit::USAGE, "there is nothing to write", "give the text as an argument, or on the standard input").into());
    }
    let mut text = String::new();
    input.read_to_string(&mut text)?;
    Ok(text)
}

fn outcome(out: &mut dyn Out, paint: Paint, written: &Written) -> io::Result<()> {
    let word = match written.outcome {
        Made::Created => paint.green("kept"),
        Made::Changed => paint.green("changed"),
        other => paint.yellow(format!("not kept: {}", said(other).replace('-', " "))),
    };
    match &written.note {
        Some(note) => writeln!(out, "{word}  {} {}  {}", paint.cyan(&note.id), paint.bold(&note.title), paint.dim(&note.path))?,
        None => writeln!(out, "{word}")?,
    }
    if let Some(reason) = &written.reason {
        writeln!(out, "  {reason}")?;
    }
    written.superseded.iter().try_for_each(|old| writeln!(out, "  takes the place of {old}"))
}

pub(super) fn links(id: &str, cli: &Cli) -> Outcome {
    let links: Links = cli.call(client(cli)?.links(id))?;
    cli.show(&links, |out, paint| {
        writeln!(out, "{}", paint.dim(count(links.out.len(), "link") + " from it"))?;
        links.out.iter().try_for_each(|to| link(out, paint, "→", to))?;
        writeln!(out, "{}", paint.dim(count(links.back.len(), "link") + " to it"))?;
        links.back.iter().try_for_each(|from| link(out, paint, "←", from))
    })?;
    Ok(exit::OK)
}

fn link(out: &mut dyn Out, paint: Paint, sign: &str, link: &Link) -> io::Result<()> {
    let title = link.title.as_ref().unwrap_or(&link.name);
    match &link.id {
        Some(id) => writeln!(out, "  {sign} {} {}", paint.bold(title), paint.cyan(id)),
        None => writeln!(out, "  {sign} {} {}", paint.bold(title), paint.yellow("no such note")),
    }
}

pub(super) fn delete(id: &str, cli: &Cli) -> Outcome {
    let head = cli.call(client(cli)?.delete(id))?;
    cli.show(&head, |out, paint| {
        writeln!(out, "“{}” is at {} now.", head.title, head.path)?;
        writeln!(out, "{}", paint.dim(format!("`sanctum memory undo {}` brings it back", head.id)))
    })?;
    Ok(exit::OK)
}

pub(super) fn history(id: &str, cli: &Cli) -> Outcome {
    let changes = cli.call(patient(cli)?.history(id))?;
    let wall = cli.wall();
    cli.show(&changes, |out, paint| table(out, paint, &changes, &wall))?;
    Ok(exit::OK)
}

pub(super) fn undo(id: &str, cli: &Cli) -> Outcome {
    let changes = cli.call(patient(cli)?.undo(id))?;
    let wall = cli.wall();
    cli.show(&changes, |out, paint| {
        writeln!(out, "{} taken back:", count(changes.len(), "change"))?;
        table(out, paint, &changes, &wall)
    })?;
    Ok(exit::OK)
}

fn table(out: &mut dyn Out, paint: Paint, changes: &[Change], wall: &Wall) -> io::Result<()> {
    for change in changes {
        let commit: String = change.commit.chars().take(10).collect();
        writeln!(out, "{} {:<16} {}  {}", paint.cyan(commit), wall.at(change.at), change.what, paint.dim(&change.path))?;
    }
    Ok(())
}
