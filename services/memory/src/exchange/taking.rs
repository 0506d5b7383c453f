//! An import as it runs: read beside, judged, put; and an export, note by note.

use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::PathBuf;

use sanctum_api::memory::{Exported, Imported, List, Note, Origin, Progress};
use tokio::sync::mpsc;

use super::{Format, Item, recognise};
use crate::library::{Error, Library, Tell, Who};

/// Lines of what was left that are named one by one.
const NAMED: usize = 1000;
/// Drafts that are read ahead.
const AHEAD: usize = 64;
/// Notes of one page of an export.
const PAGE: u32 = 100;

/// Takes in a file: by its format's name, or by its beginning.
pub(crate) async fn import(
    library: &Library,
    file: PathBuf,
    format: Option<&str>,
    name: &str,
    tell: &Tell,
) -> Result<Imported, Error> {
    let named = match format {
        Some(word) => {
            Some(Format::named(word).ok_or_else(|| Error::field("format", word, Format::names(false)))?)
        }
        None => None,
    };
    let (send, mut drafts) = mpsc::channel::<Item>(AHEAD);
    let reading = tokio::task::spawn_blocking(move || -> Result<(), Error> {
        let failed = |error: &std::io::Error| Error::of(&file, error);
        let opened = std::fs::File::open(&file).map_err(|error| failed(&error))?;
        let (known, mut input) = recognise(BufReader::new(opened)).map_err(|error| failed(&error))?;
        let Some(format) = named.or(known) else {
            let files: Vec<String> =
                super::FORMATS.iter().map(|format| format!("`{}` ({})", format.name, format.file)).collect();
            return Err(Error::field("format", "none that is known by its beginning", files.join(", ")));
        };
        let mut sink = |item| {
            if send.blocking_send(item).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        format.read(&mut input, &mut sink).map_err(|error| failed(&error))
    });
    // What others remember is from outside, whoever brings it.
    let who = Who { name: name.to_owned(), origin: Origin::Untrusted, agent: None, private: true };
    let mut imported = Imported::default();
    let mut done = 0;
    while let Some(item) = drafts.recv().await {
        done += 1;
        match item {
            Item::Left(at, why) => leave(&mut imported, format!("{at}: {why}")),
            Item::Draft(draft) => match library.take_in(&draft, &who).await {
                Ok(Ok(Some(_))) => imported.taken += 1,
                Ok(Ok(None)) => imported.duplicates += 1,
                Ok(Err(why)) => leave(&mut imported, format!("{}: {why}", draft.at)),
                Err(error @ (Error::Field { .. } | Error::TooLarge { .. })) => {
                    leave(&mut imported, format!("{}: {error}", draft.at));
                }
                Err(error) => return Err(error),
            },
        }
        tell(Progress { what: "import".to_owned(), done, total: None });
    }
    reading.await.unwrap_or(Err(Error::Later("the import was broken off")))?;
    library
        .settle()
        .await
        .or_else(|error| if matches!(error, Error::NoHistory(_)) { Ok(()) } else { Err(error) })?;
    Ok(imported)
}

fn leave(imported: &mut Imported, line: String) {
    imported.left_out += 1;
    if imported.left.len() < NAMED {
        imported.left.push(line);
    }
}

/// A page of notes as a format writes them: all pages one behind the other are the file. What is archived goes along; what
/// the house writes of itself does not.
pub(crate) async fn export(
    library: &Library,
    format: &'static Format,
    cursor: Option<String>,
    who: &Who,
) -> Result<Exported, Error> {
    let mut first = cursor.is_none();
    let page = library.list(&List { limit: Some(PAGE), cursor, ..List::default() }, who).await?;
    let mut pieces = Vec::new();
    for head in page.notes.into_iter().filter(|head| !head.path.starts_with("meta/")) {
        // One that was removed since is none of them.
        let Some(text) = library.body_of(&head).await? else { continue };
        let mut bytes = Vec::new();
        if format.is_array() {
            bytes.extend(if first { &b"[\n"[..] } else { &b",\n"[..] });
            first = false;
        }
        let note = Note { head, text, contradicts: Vec::new() };
        format
            .write(&note, &mut bytes)
            .map_err(|error| Error::of(std::path::Path::new(&note.head.path), &error))?;
        pieces.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    if format.is_array() && page.next.is_none() {
        let end = if first { "[]\n" } else { "\n]\n" };
        match pieces.last_mut() {
            Some(last) => last.push_str(end),
            None => pieces.push(end.to_owned()),
        }
    }
    Ok(Exported { pieces, next: page.next })
}
