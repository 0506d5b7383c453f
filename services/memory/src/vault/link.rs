//! Links between notes: `[[Name]]`, `[[Name|shown]]`, `[[Name#part]]`, and Markdown links to `.md` files.

/// More links than this in one note are a list of files, not thoughts.
const MOST: usize = 2000;

/// Names that the text links to, each once, in their order; code is no place for links.
pub(crate) fn links(text: &str) -> Vec<String> {
    let mut links: Vec<String> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let mut fence: Option<&str> = None;
    for line in text.lines() {
        let start = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) => scan(line, &mut |name| {
                if links.len() < MOST && seen.insert(name.to_lowercase()) {
                    links.push(name);
                }
            }),
            _ => {}
        }
    }
    links
}

fn scan(line: &str, found: &mut impl FnMut(String)) {
    if !line.contains('[') {
        return;
    }
    // Every other piece between back ticks is code.
    for piece in line.split('`').step_by(2) {
        for rest in piece.split("[[").skip(1) {
            let Some((inner, _)) = rest.split_once("]]") else { continue };
            let name = inner.split(['|', '#']).next().unwrap_or_default().trim();
            let name = name.strip_suffix(".md").unwrap_or(name);
            if !name.is_empty() && name.len() <= 300 {
                found(name.to_owned());
            }
        }
        for rest in piece.split("](").skip(1) {
            let Some((target, _)) = rest.split_once(')') else { continue };
            let target = target.split(['#', ' ']).next().unwrap_or_default().trim_matches(['<', '>']);
            if let Some(name) = target.strip_suffix(".md")
                && !target.contains("://")
            {
                found(decoded(name));
            }
        }
    }
}

/// `%20` and the like.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'%').then(|| after.get(..2)).flatten();
        let byte = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
        bytes.push(byte.unwrap_or(*first));
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// What a name is looked up by: a path without `.md` or a bare name, in lower case.
pub(crate) fn target(name: &str, folder: &str) -> String {
    let name = name.strip_suffix(".md").unwrap_or(name);
    if !name.starts_with("./") && !name.starts_with("../") {
        return name.trim_start_matches('/').to_lowercase();
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in name.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_of_code() {
        let text = "See [[Rose Garden|roses]] and [[Plan#May]], [[plan]].\n`[[no]]` and [x](sub/My%20Note.md#a) [y](https://a.b/c.md)\n```\n[[code]]\n```\n[[ ]] [[open\n[[After.md]]";
        assert_eq!(links(text), ["Rose Garden", "Plan", "sub/My Note", "After"]);
    }

    #[test]
    fn a_relative_link_begins_at_its_folder() {
        assert_eq!(target("../Plan.md", "knowledge/garden"), "knowledge/plan");
        assert_eq!(target("./x", ""), "x");
        assert_eq!(target("../../../x", "a"), "x");
        assert_eq!(target("Rose Garden", "a"), "rose garden");
    }
}
