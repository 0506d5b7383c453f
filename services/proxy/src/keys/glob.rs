//! Names with stars: `claude-*` matches every name that begins so.

/// Whether `name` is of the shape `pattern`: a `*` stands for any run of characters, also none, and everything else
/// for itself.
pub fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, mut rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(first) else { return false };
    // Each piece where it first fits: a later place would leave less for those that follow.
    while let Some((piece, after)) = rest.split_once('*') {
        let Some(found) = name.split_once(piece) else { return false };
        (name, rest) = (found.1, after);
    }
    name.ends_with(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, letter by letter.
    fn plainly(pattern: &[char], name: &[char]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some(('*', rest)) => (0..=name.len()).any(|skip| plainly(rest, &name[skip..])),
            Some((letter, rest)) => name.first() == Some(letter) && plainly(rest, &name[1..]),
        }
    }

    #[test]
    fn names_of_models() {
        for (pattern, name, fits) in [
            ("claude-*", "claude-opus-4-5", true),
            ("claude-*", "gpt-5", false),
            ("*", "", true),
            ("gpt-5", "gpt-5-mini", false),
            ("*/llama*:8b", "local/llama3.3:8b", true),
            ("a*a", "a", false),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    proptest! {
        #[test]
        fn it_is_the_definition(pattern in "[ab*]{0,8}", name in "[ab]{0,10}") {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &name), plainly(&letters(&pattern), &letters(&name)));
        }
    }
}
