//! What is wrong with what is remembered: counted and named, nothing changed.

use std::collections::{BTreeMap, HashMap, HashSet};

use sanctum_api::memory::{Audit, Head, Origin};

use crate::consolidate::plan::is_archived;
use crate::consolidate::run::alike;
use crate::gate::gist::Gist;
use crate::gate::{secrets, truth};
use crate::library::{Error, Library};

/// Notes that are near in meaning are asked for by so many neighbours each.
const NEIGHBOURS: usize = 4;

pub(crate) async fn audit(library: &Library) -> Result<Audit, Error> {
    let heads = library.heads().await?;
    let here: Vec<&Head> =
        heads.iter().filter(|head| !is_archived(head) && !head.path.starts_with("meta/")).collect();
    let now = library.shared().clock.now();
    let (exact, mut near): (Vec<_>, Vec<_>) =
        alike(library, library.gate(), &heads).await?.into_iter().partition(|alike| alike.exact);
    let mut audit = Audit {
        notes: u32::try_from(heads.len()).unwrap_or(u32::MAX),
        duplicates: groups(exact.iter().map(|alike| (&*alike.less, &*alike.more))),
        ..Audit::default()
    };
    let over =
        |head: &&&Head| head.superseded_by.is_some() || head.valid_until.is_some_and(|until| until <= now);
    audit.stale = here.iter().filter(over).map(|head| head.id.clone()).collect();
    let contradictions = truth::contradictions(&heads);
    let id = |at: usize| heads.get(at).map_or("", |head| &*head.id);
    audit.contradictions = groups(contradictions.iter().map(|(one, other)| (id(*one), id(*other))));
    let mut loops = HashSet::new();
    for head in &heads {
        let Some(text) = library.text_of(&head.id).await? else { continue };
        if !secrets::find(&text).is_empty() {
            audit.secrets.push(head.id.clone());
        }
        if is_archived(head) || head.path.starts_with("meta/") {
            continue;
        }
        let gist = Gist::of(&text);
        if head.origin == Origin::Agent && head.key.is_none() && repeats(library, head, &gist, &heads).await?
        {
            loops.insert(head.id.clone());
        }
        if let Ok(row) = library.row_of(&head.id).await {
            let same =
                library.engine().neighbours(row, NEIGHBOURS).into_iter().filter(|near| near.cosine >= 0.95);
            for other in same.collect::<Vec<_>>() {
                let Some(found) = library.by_row(other.row).await? else { continue };
                let current = !is_archived(&found) && found.superseded_by.is_none() && found.id != head.id;
                let Some(text) = library.text_of(&found.id).await?.filter(|_| current) else { continue };
                if gist.is_paraphrase(&Gist::of(&text), other.cosine) && gist.print != Gist::of(&text).print {
                    near.push(crate::consolidate::plan::Alike {
                        less: head.id.clone(),
                        more: found.id,
                        exact: false,
                    });
                }
            }
        }
    }
    audit.near_duplicates = groups(near.iter().map(|alike| (&*alike.less, &*alike.more)));
    audit.recall_loops =
        heads.iter().filter(|head| loops.contains(&head.id)).map(|head| head.id.clone()).collect();
    audit.troubles =
        heads.iter().filter_map(|head| Some(format!("{}: {}", head.path, head.trouble.as_ref()?))).collect();
    audit.mismatches = library.mismatches().await?;
    Ok(audit)
}

/// Whether an agent's note says only what an older note of another conversation says, with words around it: what was recalled
/// has come back.
async fn repeats(library: &Library, head: &Head, gist: &Gist, heads: &[Head]) -> Result<bool, Error> {
    let known: HashMap<&str, &Head> = heads.iter().map(|head| (head.id.as_str(), head)).collect();
    for id in library.gate().alike(gist, 8) {
        let Some(other) = known.get(&*id).filter(|other| other.id != head.id) else { continue };
        let older =
            other.created < head.created && (other.session.is_none() || other.session != head.session);
        if !older || is_archived(other) {
            continue;
        }
        let told = Gist::of(&library.text_of(&id).await?.unwrap_or_default());
        if told.print != gist.print && !gist.is_near(&told, None) && gist.echoes(&told) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Pairs as groups: whoever is in a pair with one of a group is in the group.
fn groups<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<Vec<String>> {
    let mut of: HashMap<String, usize> = HashMap::new();
    let mut groups: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (at, (one, other)) in pairs.enumerate() {
        let (first, second) = (of.get(one).copied(), of.get(other).copied());
        let group = first.or(second).unwrap_or(at);
        if let (Some(first), Some(second)) = (first, second)
            && first != second
        {
            for id in groups.remove(&second).unwrap_or_default() {
                of.insert(id.clone(), first);
                groups.entry(first).or_default().push(id);
            }
        }
        for id in [one, other] {
            if of.insert(id.to_owned(), group) != Some(group) {
                groups.entry(group).or_default().push(id.to_owned());
            }
        }
    }
    let mut groups: Vec<Vec<String>> = groups.into_values().filter(|group| group.len() > 1).collect();
    for group in &mut groups {
        group.sort();
        group.dedup();
    }
    groups.sort();
    groups
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pairs_become_groups() {
        let found = groups([("a", "b"), ("c", "d"), ("b", "c"), ("x", "y"), ("a", "d")].into_iter());
        assert_eq!(found, [vec!["a", "b", "c", "d"], vec!["x", "y"]]);
    }

    proptest! {
        #[test]
        fn everybody_is_in_one_group_with_whom_he_is_paired(pairs in prop::collection::vec((0_u8..20, 20_u8..40), 0..40)) {
            let names: Vec<(String, String)> = pairs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
            let found = groups(names.iter().map(|(a, b)| (&**a, &**b)));
            for (a, b) in &names {
                let of_a: Vec<_> = found.iter().filter(|group| group.contains(a)).collect();
                prop_assert!(of_a.len() == 1 && of_a[0].contains(b));
            }
        }
    }
}
