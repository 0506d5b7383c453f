//! A print of every rule, so that one that is missing, changed or foreign is called by its name.

use super::wire::{attr, attrs, text};

/// One rule: where it stands, what it says of itself, and a digest of what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Print {
    pub chain: String,
    pub comment: String,
    pub digest: u64,
}

/// The print of a rule out of the kernel's answer; `None` if it is not in `table`.
pub(super) fn print(body: &[u8], table: &str) -> Option<Print> {
    if attr(body, 1).map(text).as_deref() != Some(table) {
        return None;
    }
    let mut digest = 0xcbf2_9ce4_8422_2325;
    for (_, expression) in attrs(attr(body, 4).unwrap_or_default()) {
        let name = attr(expression, 1).map(text).unwrap_or_default();
        mix(&mut digest, name.as_bytes());
        // A counter's numbers move; everything else of a rule stays.
        if name != "counter" {
            mix(&mut digest, attr(expression, 2).unwrap_or_default());
        }
    }
    let comment = attr(body, 7).map(comment).unwrap_or_default();
    Some(Print { chain: attr(body, 2).map(text).unwrap_or_default(), comment, digest })
}

/// FNV-1a with a separator.
fn mix(digest: &mut u64, bytes: &[u8]) {
    for byte in bytes.iter().chain(&[0xff]) {
        *digest = (*digest ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
}

/// The comment in a rule's user data: type, length, text (libnftnl's `NFTNL_UDATA_RULE_COMMENT`, 0).
fn comment(data: &[u8]) -> String {
    let mut rest = data;
    while let [kind, length, tail @ ..] = rest {
        let value = tail.get(..usize::from(*length)).unwrap_or_default();
        if *kind == 0 {
            return text(value);
        }
        rest = tail.get(usize::from(*length)..).unwrap_or_default();
    }
    String::new()
}

/// What is wrong with `found`, if anything: the first rule that is missing, or the first that is not ours.
pub(super) fn compare(family: &str, ours: &[Print], found: &[Print]) -> Option<Wrong> {
    for rule in ours {
        if !found.contains(rule) {
            let chain = &rule.chain;
            let all = !found.iter().any(|other| other.chain == *chain);
            return Some(Wrong::Missing(if all { format!("every rule of chain `{chain}` in table `{family} sanctum` was deleted") } else { format!("the rule \"{}\" in chain `{chain}` of table `{family} sanctum` was deleted or changed", rule.comment) }));
        }
    }
    let foreign = found.iter().find(|rule| !ours.contains(rule))?;
    let chain = &foreign.chain;
    let before = found.iter().filter(|rule| rule.chain == *chain).position(|rule| rule == foreign) == Some(0);
    let place = if before { "above ours" } else { "among ours" };
    Some(Wrong::Foreign(format!("somebody put a rule {place} in chain `{chain}` of table `{family} sanctum`")))
}

/// What is wrong with the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wrong {
    Missing(String),
    Foreign(String),
}
