//! Strings inside JSON text, replaced where they stand: keys, order, spaces and everything else stay as written.

/// `change` sees every string that is a value and says what it becomes; `None` when nothing was changed. Text that is not JSON
/// (models write broken arguments) is changed as text.
pub(super) fn replace(json: &str, mut change: impl FnMut(&str) -> Option<String>) -> Option<String> {
    if serde_json::from_str::<serde::de::IgnoredAny>(json).is_err() {
        return change(json);
    }
    let mut out = String::new();
    let (mut last, mut at) = (0, 0);
    while let Some(start) = json.get(at..).and_then(|rest| rest.find('"')).map(|found| at + found) {
        let end = end_of(json, start)?;
        at = end;
        let is_key = json.get(end..).is_some_and(|rest| rest.trim_start().starts_with(':'));
        let literal = json.get(start..end)?;
        if is_key {
            continue;
        }
        let Ok(text) = serde_json::from_str::<String>(literal) else { continue };
        if let Some(changed) = change(&text) {
            out.push_str(json.get(last..start)?);
            out.push_str(&serde_json::to_string(&changed).ok()?);
            last = end;
        }
    }
    if last == 0 {
        return None;
    }
    out.push_str(json.get(last..)?);
    Some(out)
}

/// Behind the closing quote of the string that begins at `start`.
fn end_of(json: &str, start: usize) -> Option<usize> {
    let mut escaped = false;
    for (i, byte) in json.as_bytes().iter().enumerate().skip(start + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(i + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strings_that_are_values_change() {
        let upper = |text: &str| text.contains("ab").then(|| text.to_uppercase());
        let cases = [
            (r#"{ "ab" : "ab\n\"é" , "n":1}"#, Some(r#"{ "ab" : "AB\n\"É" , "n":1}"#)),
            (r#"["xab",{"k":["ab"]}]"#, Some(r#"["XAB",{"k":["AB"]}]"#)),
            (r#"{"k":"x"}"#, None),
            (r#"{"k":"ab"#, Some(r#"{"K":"AB"#)),
        ];
        for (json, expected) in cases {
            assert_eq!(replace(json, upper).as_deref(), expected, "{json}");
        }
    }
}
