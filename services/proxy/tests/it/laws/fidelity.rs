//! What a client sends to a provider that speaks its dialect arrives byte by byte: order, spaces, escapes, numbers and fields
//! nobody has heard of. Only an alias changes, in its own place.

use sanctum_testkit::House;
use sanctum_testkit::provider::Provider;

use super::client::Wire;
use super::dice::Dice;
use super::words::path;
use crate::door::house::{CATALOGUE, lines};

const CASES: usize = 64;
/// Letters that every way of writing JSON again would write in another way.
const LETTERS: &[&str] = &[
    "a",
    "Z",
    " ",
    "\\n",
    "\\t",
    "\\u00e9",
    "\\u0041",
    "\\/",
    "/",
    "é",
    "日",
    "🌍",
    "\\ud83c\\udf0d",
    "\\\"",
    "\\\\",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "model",
    "\\u2028",
    "\u{7f}",
];
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1",
    "1.0",
    "1e5",
    "1E+5",
    "0.1000",
    "12345678901234567890123",
    "-1.5e-7",
    "1.0000000000000000001",
];
/// Names that stand elsewhere in a request, and some that stand nowhere.
const FIELDS: &[&str] = &[
    "seed_x",
    "x",
    "model_kwargs",
    "Model",
    "chat_template_kwargs",
    "häuser",
    "\\u006dodels",
    "a b",
    "metadata_",
    "service",
    "logit",
    "nested",
    "streams",
    "zz",
    "0",
];

/// JSON as nobody's library writes it.
struct Scribe<'a>(&'a mut Dice);

impl Scribe<'_> {
    fn gap(&mut self) -> &'static str {
        self.0.pick(&["", "", "", " ", "  ", "\n", "\t", "\r\n "])
    }

    fn string(&mut self) -> String {
        let letters = self.0.some(LETTERS, 12);
        format!("\"{}\"", letters.concat())
    }

    fn value(&mut self, depth: usize) -> String {
        match self.0.below(if depth == 0 { 4 } else { 6 }) {
            0 => self.0.pick(NUMBERS).to_owned(),
            1 => self.0.pick(&["true", "false", "null"]).to_owned(),
            2 | 3 => self.string(),
            4 => {
                let items: Vec<String> = (0..self.0.below(4)).map(|_| self.value(depth - 1)).collect();
                self.list(&items)
            }
            _ => {
                let names = self.0.some(FIELDS, 4);
                let mut fields = Vec::new();
                for name in names {
                    fields.push((format!("\"{name}\""), self.value(depth - 1)));
                }
                self.object(fields)
            }
        }
    }

    fn list(&mut self, items: &[String]) -> String {
        let mut text = format!("[{}", self.gap());
        for (at, item) in items.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            text += &format!("{comma}{}{item}{}", self.gap(), self.gap());
        }
        text + "]"
    }

    fn object(&mut self, mut fields: Vec<(String, String)>) -> String {
        let mut text = format!("{{{}", self.gap());
        let mut first = true;
        while !fields.is_empty() {
            let (name, value) = fields.remove(self.0.below(fields.len()));
            let comma = if first { "" } else { "," };
            text += &format!("{comma}{}{name}{}:{}{value}{}", self.gap(), self.gap(), self.gap(), self.gap());
            first = false;
        }
        text + "}"
    }

    /// A request the provider understands, with much in it that it does not.
    fn request(&mut self, api: &str, model: &str, stream: bool) -> String {
        let said = format!("\"said {}", self.string().strip_prefix('"').unwrap());
        let turn = vec![("\"role\"".to_owned(), "\"user\"".to_owned()), ("\"content\"".to_owned(), said)];
        let turn = self.object(turn);
        let turns = self.list(&[turn]);
        let mut fields = vec![("\"model\"".to_owned(), format!("\"{model}\""))];
        match api {
            "responses" => fields.push(("\"input\"".to_owned(), turns)),
            "embeddings" => fields.push((
                "\"input\"".to_owned(),
                format!("\"said {}", self.string().strip_prefix('"').unwrap()),
            )),
            _ => fields.push(("\"messages\"".to_owned(), turns)),
        }
        if api == "messages" {
            fields.push(("\"max_tokens\"".to_owned(), "100".to_owned()));
        }
        if stream {
            fields.push(("\"stream\"".to_owned(), "true".to_owned()));
            // Without it the house would ask for the tokens itself.
            if api == "chat" {
                let options = self.object(vec![("\"include_usage\"".to_owned(), "true".to_owned())]);
                fields.push(("\"stream_options\"".to_owned(), options));
            }
        }
        let mut names: Vec<&str> = self.0.some(FIELDS, 8);
        names.sort_unstable();
        names.dedup();
        for name in names {
            let value = self.value(3);
            fields.push((format!("\"{name}\""), value));
        }
        let body = self.object(fields);
        format!("{}{body}{}", self.gap(), self.gap())
    }
}

fn config(seat: &Provider) -> String {
    let url = seat.url();
    let provider = |name: &str, kind: &str, more: &str| {
        format!(
            "[proxy.provider.{name}]\nkind = \"{kind}\"\nbase-url = \"{url}/v1\"\nauth = \"none\"\n{more}[proxy.model.\"{name}-*\"]\nprovider = \"{name}\"\nprice = {{ input = 1.0, output = 5.0 }}\n"
        )
    };
    // What the random words are about is no matter here, so nothing is kept from them.
    let near = "locality = \"local\"\nspeaks = [\"chat\", \"responses\"]\n";
    let all = [provider("near", "openai", near), provider("claude", "anthropic", "locality = \"local\"\n")]
        .concat();
    format!("{all}[proxy.alias]\nquick-chat = \"near-mini\"\n\"quick claude\" = \"claude-haiku\"\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_in_the_providers_own_dialect_arrives_as_it_was_sent() {
    let mut dice = Dice::new();
    let seat = Provider::start();
    let house = House::new(&CATALOGUE).config(&config(&seat)).start().await;
    let wire = Wire::to(&house);
    for at in 0..CASES {
        let api = dice.pick(&["chat", "messages", "responses", "embeddings", "count-tokens"]);
        let (alias, name) = match api {
            "messages" | "count-tokens" => ("quick claude", "claude-haiku"),
            _ => ("quick-chat", "near-mini"),
        };
        let model = dice.pick(&[alias, name, name]);
        let stream = dice.once_in(2) && !matches!(api, "embeddings" | "count-tokens");
        let body = Scribe(&mut dice).request(api, model, stream);
        let beta = format!("beta-{}, other_{}", dice.below(99), dice.below(9));
        let mut headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("anthropic-beta".to_owned(), beta),
            ("openai-beta".to_owned(), format!("x={}", dice.below(9))),
            ("user-agent".to_owned(), format!("tool/{} (a; b)", dice.below(99))),
        ];
        headers.extend(
            (0..dice.below(3))
                .map(|at| (format!("x-of-the-client-{at}"), format!("{} \"; ,", dice.below(1000)))),
        );
        let query = format!("?beta=true&n={at}&empty=&q=%C3%A9+{}", dice.below(99));
        let reply = wire.post(&format!("{}{query}", path(api)), &headers, body.as_bytes()).await;
        assert_eq!(reply.status, 200, "{} for\n{body}", reply.text());
        let seen = seat.last();
        let due = body.replacen(&format!("\"{alias}\""), &format!("\"{name}\""), 1);
        assert_eq!(String::from_utf8(seen.body.clone()).unwrap(), due, "sent:\n{body}");
        assert!(seen.path.ends_with(&query), "{} for {query}", seen.path);
        for (name, value) in &headers {
            assert_eq!(seen.header(name), Some(value.as_str()), "{name}");
        }
        assert_eq!(
            (seen.header("authorization"), seen.header("x-api-key")),
            (None, None),
            "the house's token stays in the house"
        );
        assert_eq!(seat.requests().len(), at + 1, "asked once");
    }
    lines(&house, CASES).await;
    house.stop().await;
}
