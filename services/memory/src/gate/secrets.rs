//! Secrets in a text: keys and tokens by the shapes their makers gave them, and passwords by the word before them.

use std::ops::Range;

/// Where one stands, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Secret {
    pub(crate) at: Range<usize>,
    pub(crate) what: &'static str,
}

/// What a token begins with, how many characters must follow, of which kind, and what it is. The shapes are those their
/// makers publish for scanners of leaked keys.
struct Shape {
    begins: &'static str,
    least: usize,
    of: fn(u8) -> bool,
    what: &'static str,
}

const fn shape(begins: &'static str, least: usize, of: fn(u8) -> bool, what: &'static str) -> Shape {
    Shape { begins, least, of, what }
}

const SHAPES: &[Shape] = &[
    shape("AKIA", 16, is_upper, "an AWS access key"),
    shape("ASIA", 16, is_upper, "an AWS access key"),
    shape("ghp_", 36, is_word, "a GitHub token"),
    shape("gho_", 36, is_word, "a GitHub token"),
    shape("ghu_", 36, is_word, "a GitHub token"),
    shape("ghs_", 36, is_word, "a GitHub token"),
    shape("ghr_", 36, is_word, "a GitHub token"),
    shape("github_pat_", 30, is_word, "a GitHub token"),
    shape("glpat-", 20, is_token, "a GitLab token"),
    shape("xoxb-", 10, is_token, "a Slack token"),
    shape("xoxp-", 10, is_token, "a Slack token"),
    shape("xoxa-", 10, is_token, "a Slack token"),
    shape("xoxr-", 10, is_token, "a Slack token"),
    shape("xoxs-", 10, is_token, "a Slack token"),
    shape("xapp-", 10, is_token, "a Slack token"),
    shape("https://hooks.slack.com/services/", 20, is_path, "a Slack web hook"),
    shape("sk-sanctum-", 40, is_token, "a key of this house's proxy"),
    shape("sk-", 20, is_token, "an API key"),
    shape("AIza", 35, is_token, "a Google API key"),
    shape("ya29.", 20, is_token, "a Google token"),
    shape("sk_live_", 16, is_word, "a Stripe key"),
    shape("rk_live_", 16, is_word, "a Stripe key"),
    shape("sk_test_", 16, is_word, "a Stripe key"),
    shape("whsec_", 24, is_token, "a web hook's secret"),
    shape("hf_", 30, is_word, "a Hugging Face token"),
    shape("npm_", 36, is_word, "an npm token"),
    shape("pypi-", 50, is_token, "a PyPI token"),
    shape("SG.", 50, is_dotted, "a SendGrid key"),
    shape("dop_v1_", 64, is_word, "a DigitalOcean token"),
    shape("gsk_", 30, is_word, "an API key"),
    shape("xai-", 40, is_token, "an API key"),
    shape("tvly-", 20, is_token, "an API key"),
    shape("AGE-SECRET-KEY-1", 50, is_upper, "an age key"),
];

/// Words that say that a password follows, folded; the longer before the shorter.
const NAMES: &[&str] = &[
    "mot de passe",
    "client_secret",
    "access_token",
    "access token",
    "secret key",
    "secret_key",
    "passphrase",
    "password",
    "passwort",
    "wachtwoord",
    "private key",
    "api_key",
    "api-key",
    "api key",
    "apikey",
    "passwd",
    "secret",
    "token",
    "pwd",
];

/// Everything found, in order, without overlap.
pub(crate) fn find(text: &str) -> Vec<Secret> {
    let mut found: Vec<Secret> = Vec::new();
    let bytes = text.as_bytes();
    let lower = text.to_ascii_lowercase();
    let mut at = 0;
    while at < bytes.len() {
        let Some(rest) = text.get(at..) else {
            at += 1;
            continue;
        };
        let before = at.checked_sub(1).and_then(|at| bytes.get(at)).copied();
        let starts = !before.is_some_and(is_word);
        let hit = if starts {
            shaped(rest).or_else(|| named(rest, lower.get(at..).unwrap_or_default()))
        } else {
            None
        };
        let hit = hit.or_else(|| in_url(rest)).or_else(|| pem(rest));
        match hit {
            Some((within, what)) => {
                found.push(Secret { at: at + within.start..at + within.end, what });
                at += within.end.max(1);
            }
            None => at += 1,
        }
    }
    found
}

/// The text with every secret replaced by what it was; `None` if there is none.
pub(crate) fn without(text: &str) -> Option<String> {
    let found = find(text);
    if found.is_empty() {
        return None;
    }
    let mut clean = String::with_capacity(text.len());
    let mut at = 0;
    for secret in found {
        clean.push_str(text.get(at..secret.at.start).unwrap_or_default());
        clean.push_str(&format!("[{}, not kept]", secret.what));
        at = secret.at.end;
    }
    clean.push_str(text.get(at..).unwrap_or_default());
    Some(clean)
}

type Hit = (Range<usize>, &'static str);

fn shaped(rest: &str) -> Option<Hit> {
    for shape in SHAPES {
        let Some(tail) = rest.strip_prefix(shape.begins) else { continue };
        let length = tail.bytes().take_while(|byte| (shape.of)(*byte)).count();
        let body = tail.get(..length)?;
        // `sk-learn-is-a-library` and the like: a key has digits, and is no sentence of hyphens.
        if length >= shape.least && (is_random(body) || shape.begins.len() > 8) {
            return Some((0..shape.begins.len() + length, shape.what));
        }
    }
    jwt(rest).or_else(|| telegram(rest))
}

/// Two parts that begin as JSON does in base64, and a signature (RFC 7519).
fn jwt(rest: &str) -> Option<Hit> {
    let length = rest.bytes().take_while(|byte| is_dotted(*byte)).count();
    let token = rest.get(..length)?.trim_end_matches('.');
    let mut parts = token.split('.');
    let (head, body, sign) = (parts.next()?, parts.next()?, parts.next()?);
    let fits =
        head.starts_with("eyJ") && body.starts_with("eyJ") && sign.len() >= 20 && parts.next().is_none();
    fits.then_some((0..token.len(), "a signed token"))
}

/// `123456789:AA…`, thirty-five characters behind the colon.
fn telegram(rest: &str) -> Option<Hit> {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let tail = rest.get(digits..)?.strip_prefix(':')?;
    let length = tail.bytes().take_while(|byte| is_token(*byte)).count();
    ((8..=10).contains(&digits) && length == 35).then_some((0..digits + 1 + length, "a Telegram bot's token"))
}

/// `scheme://user:password@host`.
fn in_url(rest: &str) -> Option<Hit> {
    let tail = rest.strip_prefix("://")?;
    let end = tail
        .find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '<' | '>' | ')'))
        .unwrap_or(tail.len());
    let (who, _) = tail.get(..end)?.rsplit_once('@')?;
    let (user, password) = who.split_once(':')?;
    let fits = password.len() >= 3 && !is_placeholder(password);
    let start = 3 + user.len() + 1;
    fits.then_some((start..start + password.len(), "a password in an address"))
}

fn pem(rest: &str) -> Option<Hit> {
    let tail = rest.strip_prefix("-----BEGIN ")?;
    let line = tail.split("-----").next()?;
    if !line.ends_with("PRIVATE KEY") && !line.ends_with("PRIVATE KEY BLOCK") {
        return None;
    }
    let end = rest.find("-----END ").and_then(|at| {
        let close = rest.get(at + 9..)?.find("-----")?;
        Some(at + 9 + close + 5)
    });
    Some((0..end.unwrap_or(rest.len()), "a private key"))
}

/// `password: hunter2!`, `api_key = "…"`, `the password is …`. What follows must look chosen, not said.
fn named(rest: &str, lower: &str) -> Option<Hit> {
    let name = NAMES.iter().find(|name| lower.starts_with(**name))?;
    let mut at = name.len();
    let closing = rest.get(at..)?.chars().take_while(|c| matches!(c, '"' | '\'' | '`' | '*')).count();
    at += closing;
    at += spaces(rest.get(at..)?);
    let after = rest.get(at..)?;
    let (sign, said) = ["::", ":=", "=>", ":", "=", "is ", "est "]
        .iter()
        .find(|sign| after.starts_with(**sign))
        .map(|sign| (sign.len(), sign.ends_with(' ')))?;
    at += sign;
    let gap = spaces(rest.get(at..)?);
    // `secret:mail/password` names a secret of the house, and holds none.
    if *name == "secret" && gap == 0 && after.starts_with(':') {
        return None;
    }
    at += gap;
    let quotes = rest.get(at..)?.chars().take_while(|c| matches!(c, '"' | '\'' | '`' | '*')).count();
    at += quotes;
    let value = rest.get(at..)?;
    let end = value
        .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '<' | '>' | ')'))
        .unwrap_or(value.len());
    let value = value.get(..end)?.trim_end_matches(['.', '*']);
    let letters = value.chars().any(char::is_alphabetic);
    let others = value.chars().filter(|c| !c.is_alphabetic()).count();
    let least = if said { 6 } else { 5 };
    // A reference to a secret is none, and neither is the type of a field.
    let fits =
        value.chars().count() >= least && letters && others > 0 && !is_placeholder(value) && chosen(value);
    fits.then_some((at..at + value.len(), "a password"))
}

/// Words joined by hyphens, dots, brackets or slashes are names of things, not passwords.
fn chosen(value: &str) -> bool {
    value.chars().any(|c| c.is_ascii_digit())
        || value.chars().any(|c| matches!(c, '!' | '#' | '$' | '%' | '^' | '&' | '+' | '@' | '?'))
}

fn is_placeholder(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let words = [
        "example",
        "changeme",
        "your",
        "xxxx",
        "****",
        "placeholder",
        "redacted",
        "secret:",
        "env:",
        "file:",
    ];
    value.starts_with(['$', '<', '{', '[', '%'])
        || words.iter().any(|word| lower.contains(word))
        || lower.starts_with("...")
}

fn spaces(text: &str) -> usize {
    text.bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

fn is_random(body: &str) -> bool {
    let digits = body.bytes().filter(u8::is_ascii_digit).count();
    digits >= 2 && body.bytes().any(|byte| byte.is_ascii_alphabetic())
}

const fn is_upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

const fn is_token(byte: u8) -> bool {
    is_word(byte) || byte == b'-'
}

const fn is_dotted(byte: u8) -> bool {
    is_token(byte) || byte == b'.'
}

const fn is_path(byte: u8) -> bool {
    is_dotted(byte) || byte == b'/'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Made here from pieces, so that no scanner of leaked keys takes this file for a leak.
    fn key(begins: &str, length: usize) -> String {
        format!("{begins}{}", "a1B2c3D4e5".repeat(10).chars().take(length).collect::<String>())
    }

    #[test]
    fn secrets_are_found_by_their_shape_and_by_the_word_before_them() {
        let pem = format!("-----BEGIN RSA {0}-----\nMIIE\n-----END RSA {0}-----", "PRIVATE KEY");
        let cases = [
            (key("ghp_", 36), "a GitHub token"),
            (key("sk-proj-", 40), "an API key"),
            (format!("AKIA{}", "A1B2C3D4E5F6G7H8"), "an AWS access key"),
            (key("xoxb-", 30), "a Slack token"),
            (pem, "a private key"),
            (format!("postgres://bert:{}@db.local/house", "Tr0ub4dor"), "a password in an address"),
            (format!("my password is {}", "hunter2!"), "a password"),
            (format!("API_KEY = \"{}\"", "8f1c2d3e4a"), "a password"),
            (format!("mot de passe : {}", "Soleil2024"), "a password"),
            (format!("{}.{}.{}", key("eyJ", 20), key("eyJ", 20), key("", 30)), "a signed token"),
            (format!("{}:{}", "123456789", key("AA", 33)), "a Telegram bot's token"),
        ];
        for (text, what) in cases {
            let around = format!("please keep this: {text} thanks");
            let found = find(&around);
            assert_eq!(found.iter().map(|secret| secret.what).collect::<Vec<_>>(), [what], "{text}");
            let clean = without(&around).unwrap();
            assert!(clean.contains("not kept") && find(&clean).is_empty(), "{clean}");
        }
    }

    #[test]
    fn what_is_said_about_secrets_is_none() {
        for text in [
            "the password is in the drawer",
            "token: 2048 of them at most",
            "password = ${DB_PASSWORD}, api_key: <your key>",
            "the secret is out, and the sk-learn-like-library too",
            "https://example.org/a:b@c is an address",
            "password: secret:mail/password1",
            "-----BEGIN CERTIFICATE-----",
            "tokenization: first-pass, sanctum up on 127.0.0.1:42069",
            "une clé d'API est nécessaire",
        ] {
            assert_eq!(find(text), [], "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_cleaned(text in "\\PC{0,120}", begins in 0..SHAPES.len(), end in "[ .,\n]") {
            let shape = &SHAPES[begins];
            let body: String = if (shape.of)(b'a') { key("", 70) } else { "A1B2C3D4E5".repeat(7) };
            let text = format!("{text} {}{body}{end}", shape.begins);
            let clean = without(&text).unwrap();
            prop_assert!(!clean.contains(&body), "{}", clean);
        }
    }
}
