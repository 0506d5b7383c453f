//! Reading, listing, links.

use sanctum_api::memory::{Links, List, Note, Page};

use super::{Error, Library, Who, compose};
use crate::index::read;
use crate::vault::{Rel, matter};

const MOST: u32 = 1000;
const USUAL: u32 = 100;

impl Library {
    pub(super) async fn note_of(&self, name: &str, who: &Who) -> Result<Note, Error> {
        for last in [false, true] {
            let (_, head) = self.find(name).await?;
            if !who.may_see(head.class) {
                break;
            }
            let Some(rel) = Rel::parse(&head.path) else { break };
            let (vault, at) = (self.0.vault.clone(), rel.clone());
            let opened = tokio::task::spawn_blocking(move || vault.open(&at)).await;
            match opened {
                Ok(Ok(opened)) if opened.parsed.head.version == head.version || last => {
                    let contradicts = {
                        let head = head.clone();
                        self.0.index.read(move |db| read::contradictions(db, &head)).await?
                    };
                    // The house looking after its notes does not use them.
                    if who.origin != sanctum_api::memory::Origin::System {
                        self.0.accessed(&head.id);
                    }
                    let text = matter::split(&opened.text).body.trim_start_matches(['\r', '\n']).to_owned();
                    return Ok(Note { head, text, contradicts });
                }
                // The file is the truth, and the index is late.
                Ok(Ok(_)) => self.look_at(&rel).await?,
                _ => drop(self.sweep().await?),
            }
        }
        Err(Error::Unknown(name.chars().take(200).collect()))
    }

    pub(super) async fn page_of(&self, list: &List, who: &Who) -> Result<Page, Error> {
        let limit = list.limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Error::field("limit", &limit.to_string(), "1 to 1000"));
        }
        let mut list = list.clone();
        if let Some(folder) = list.folder.take().filter(|folder| !folder.is_empty()) {
            list.folder = Some(compose::folder(&folder)?.as_str().to_owned());
        }
        let before = list.cursor.as_deref().map(cursor).transpose()?;
        let private = who.private;
        let mut found = self.0.index.read(move |db| read::page(db, &list, private, before, limit)).await?;
        let more = found.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let last = found.last().filter(|_| more);
        let next = last.map(|(row, head)| format!("{}-{row}", head.updated.as_microsecond()));
        Ok(Page { notes: found.into_iter().map(|(_, head)| head).collect(), next })
    }

    pub(super) async fn links_of(&self, name: &str, who: &Who) -> Result<Links, Error> {
        let (row, head) = self.find(name).await?;
        if !who.may_see(head.class) {
            return Err(Error::Unknown(name.chars().take(200).collect()));
        }
        let private = who.private;
        let links = self.0.index.read(move |db| {
            let out = read::links_out(db, row, private)?;
            Ok(Links { out, back: read::links_back(db, row, &head, private)? })
        });
        Ok(links.await?)
    }
}

fn cursor(text: &str) -> Result<(i64, i64), Error> {
    let parts = text.rsplit_once('-').and_then(|(at, row)| Some((at.parse().ok()?, row.parse().ok()?)));
    parts.ok_or_else(|| Error::field("cursor", text, "`next` of the page before"))
}
