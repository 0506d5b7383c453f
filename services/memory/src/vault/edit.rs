//! Changing front matter: only the lines that mean something else afterwards, proven by reading it again.

use super::matter::{Entry, Node, parse, split};
use crate::library::Value;

/// Sets (`Some`) or removes (`None`) keys of the front matter of a file, which gets one if it has none.
pub(crate) fn set(text: &str, changes: &[(&str, Option<Value>)]) -> Result<String, String> {
    let cut = split(text);
    if cut.unclosed {
        return Err("the front matter has no end".to_owned());
    }
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let Some(matter) = cut.matter else {
        let mut lines = String::new();
        for (key, value) in changes {
            if let Some(value) = value {
                lines.push_str(&line(key, value, newline));
            }
        }
        let body = cut.body.strip_prefix('\u{feff}').unwrap_or(cut.body);
        return Ok(if lines.is_empty() {
            text.to_owned()
        } else {
            format!("---{newline}{lines}---{newline}{newline}{}", body.trim_start_matches(['\n', '\r']))
        });
    };
    let entries = parse(matter)?;
    let edited = edit(matter, &entries, changes, newline)?;
    // The first line is `---`; behind the keys comes another, which stays.
    let head = text.find('\n').map_or(0, |at| at + 1);
    let tail = head + matter.len();
    let (Some(head), Some(tail)) = (text.get(..head), text.get(tail..)) else {
        return Err("it is not where it should be".to_owned());
    };
    let whole = format!("{head}{edited}{tail}");
    prove(&whole, cut.body, &entries, changes)?;
    Ok(whole)
}

/// Another text below the same front matter.
pub(crate) fn replace_body(text: &str, body: &str) -> String {
    let cut = split(text);
    let head = text.get(..text.len() - cut.body.len()).unwrap_or_default();
    let gap =
        if cut.matter.is_some() && cut.body.starts_with('\n') && !body.starts_with('\n') { "\n" } else { "" };
    let end = if body.ends_with('\n') { "" } else { "\n" };
    format!("{head}{gap}{body}{end}")
}

fn edit(
    matter: &str,
    entries: &[Entry],
    changes: &[(&str, Option<Value>)],
    newline: &str,
) -> Result<String, String> {
    let lines: Vec<&str> = matter.split_inclusive('\n').collect();
    let crowded = entries.windows(2).any(|pair| matches!(pair, [a, b] if a.line == b.line));
    let braces = lines.iter().find(|line| !line.trim().is_empty()).is_some_and(|line| line.starts_with('{'));
    if crowded || braces {
        return Err("its keys are written in one line".to_owned());
    }
    // What becomes of each line: kept, or gone with its key, whose new line stands at its place.
    let mut kept = vec![true; lines.len()];
    let mut placed: Vec<Option<String>> = vec![None; lines.len()];
    let mut added = String::new();
    for (key, value) in changes {
        let Some(at) = entries.iter().position(|entry| entry.key == *key) else {
            added.extend(value.as_ref().map(|value| line(key, value, newline)));
            continue;
        };
        let first = entries.get(at).map_or(0, |entry| entry.line);
        let mut end = entries.get(at + 1).map_or(lines.len(), |next| next.line);
        // Blank lines and comments before the next key belong to it.
        let loose = |line: &&str| line.trim().is_empty() || line.starts_with('#');
        while end > first + 1 && lines.get(end - 1).is_some_and(loose) {
            end -= 1;
        }
        kept.iter_mut().take(end).skip(first).for_each(|keep| *keep = false);
        if let Some(place) = placed.get_mut(first) {
            *place = value.as_ref().map(|value| line(key, value, newline));
        }
    }
    let mut text = String::with_capacity(matter.len() + added.len());
    for ((line, keep), place) in lines.iter().zip(kept).zip(placed) {
        text.extend(place);
        if keep {
            text.push_str(line);
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push_str(newline);
    }
    text.push_str(&added);
    Ok(text)
}

/// What was to change has changed, and nothing else has.
fn prove(whole: &str, body: &str, before: &[Entry], changes: &[(&str, Option<Value>)]) -> Result<(), String> {
    let cut = split(whole);
    let after = parse(cut.matter.unwrap_or_default())?;
    let same_body = cut.body == body;
    let set = changes.iter().all(|(key, value)| {
        let found = after.iter().find(|entry| entry.key == *key).map(|entry| &entry.node);
        match value {
            None => found.is_none(),
            Some(Value::List(list)) => found == Some(&Node::List(list.clone())),
            Some(value) => found == Some(&Node::Scalar(plain(value))),
        }
    });
    let others = |entries: &[Entry]| -> Vec<(String, Node)> {
        let others = entries.iter().filter(|entry| !changes.iter().any(|(key, _)| *key == entry.key));
        others.map(|entry| (entry.key.clone(), entry.node.clone())).collect()
    };
    if same_body && set && others(before) == others(&after) {
        Ok(())
    } else {
        Err("its lines cannot be changed without changing others".to_owned())
    }
}

/// `key: value` with its end of line.
pub(crate) fn line(key: &str, value: &Value, newline: &str) -> String {
    let value = match value {
        Value::Text(text) => quoted(text),
        Value::List(list) => {
            let list: Vec<String> = list.iter().map(|word| quoted(word)).collect();
            format!("[{}]", list.join(", "))
        }
        other => plain(other),
    };
    format!("{key}: {value}{newline}")
}

fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Number(number) => format!("{}", (number * 10_000.0).round() / 10_000.0),
        Value::Whole(number) => number.to_string(),
        Value::Time(time) => time.to_string(),
        Value::List(_) => String::new(),
    }
}

/// Plain where no reader of YAML can take it for something else; in double quotes, as JSON has them, otherwise.
fn quoted(text: &str) -> String {
    let mut chars = text.chars();
    let word = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '.' | '/' | '-' | '+' | '(' | ')');
    let calm = chars.next().is_some_and(char::is_alphabetic)
        && chars.all(word)
        && !text.ends_with(' ')
        && !matches!(
            text.to_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if calm {
        return text.to_owned();
    }
    serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HAND: &str = "---\n# mine\ntitle: \"A: b\"   # why\ntags:\n  - one\n  - two\n\n# weather\nrain: yes\n---\n\nText.\n";

    #[test]
    fn only_the_lines_that_change_are_changed() {
        let text = set(
            HAND,
            &[("tags", Some(Value::List(vec!["x".into()]))), ("importance", Some(Value::Number(0.7)))],
        );
        assert_eq!(
            text.unwrap(),
            "---\n# mine\ntitle: \"A: b\"   # why\ntags: [x]\n\n# weather\nrain: yes\nimportance: 0.7\n---\n\nText.\n"
        );
        let text = set(HAND, &[("tags", None)]).unwrap();
        assert_eq!(text, "---\n# mine\ntitle: \"A: b\"   # why\n\n# weather\nrain: yes\n---\n\nText.\n");
        assert_eq!(set(HAND, &[("nothing", None)]).unwrap(), HAND);
    }

    #[test]
    fn a_file_without_front_matter_gets_one_and_windows_lines_stay() {
        let id = [("id", Some(Value::Text("p-1".into())))];
        assert_eq!(set("# A\n", &id).unwrap(), "---\nid: p-1\n---\n\n# A\n");
        assert_eq!(
            set("---\r\na: 1\r\n---\r\nx\r\n", &id).unwrap(),
            "---\r\na: 1\r\nid: p-1\r\n---\r\nx\r\n"
        );
        assert_eq!(set("---\n---\nx\n", &id).unwrap(), "---\nid: p-1\n---\nx\n");
        assert_eq!(
            set("a: 1\n---\na: 1\n---\n", &id).unwrap(),
            "---\nid: p-1\n---\n\na: 1\n---\na: 1\n---\n"
        );
    }

    #[test]
    fn what_cannot_be_changed_line_by_line_is_left_alone() {
        let id = [("id", Some(Value::Text("p-1".into())))];
        assert!(set("---\n{a: 1, b: 2}\n---\n", &id).is_err());
        assert!(set("---\na: [1\n---\n", &id).is_err());
        assert!(set("---\ntype: x\n\ntext", &id).is_err());
    }

    #[test]
    fn another_text_leaves_the_front_matter_as_it_is() {
        assert_eq!(replace_body(HAND, "New."), HAND.replace("Text.", "New."));
        assert_eq!(replace_body("Old.\n", "New."), "New.\n");
    }

    proptest! {
        #[test]
        fn every_value_is_read_as_it_was_written(text in "\\PC{1,40}", more in "[ -~]{1,20}") {
            let changes = [("source", Some(Value::Text(text.clone()))), ("tags", Some(Value::List(vec![text, more])))];
            let once = set("Body\n", &changes);
            prop_assert!(once.is_ok());
            // The second time they are there, and proven.
            prop_assert_eq!(set(once.as_deref().unwrap_or_default(), &changes), once);
        }
    }
}
