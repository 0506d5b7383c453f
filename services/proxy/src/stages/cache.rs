//! The same request, asked again by the same agent, is answered from memory: byte for byte, streams as streams.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use sanctum_kernel::{Period, Size};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::kinds::Privacy;

/// Answers kept for requests that are the same in every word.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Keep answers in memory.
    pub on: bool,
    /// How long an answer is good.
    pub keep: Period,
    /// All answers together; those not asked for the longest go first.
    pub size: Size,
    /// A larger answer is not kept.
    pub largest: Size,
    /// Keep answers about health and money, too. They stay in memory.
    pub private: bool,
    /// Keep answers to requests that carry tools.
    pub tools: bool,
    /// Keep answers of requests whose temperature is not 0.
    pub any_temperature: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            on: false,
            keep: Period::hours(1),
            size: Size::mib(16),
            largest: Size::mib(1),
            private: false,
            tools: false,
            any_temperature: false,
        }
    }
}

/// Top-level fields that change nothing in the answer: who asked, and what the provider keeps or counts.
const NOISE: &[&str] = &[
    "user",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "store",
    "service_tier",
    "client_metadata",
];

/// What one request is: a hash over the agent, the API and everything that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

/// An answer as the client got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The media type, which tells a stream from a whole answer.
    pub media: String,
    /// In the pieces in which it was sent; whole frames of a stream each.
    pub pieces: Vec<Bytes>,
    /// `provider/model` of who answered first, for `x-sanctum-served`.
    pub served: String,
}

impl Kept {
    fn size(&self) -> usize {
        // The entry itself and its two places in the tables weigh about that.
        256 + self.media.len()
            + self.served.len()
            + self.pieces.iter().map(|piece| piece.len() + 32).sum::<usize>()
    }
}

/// What the cache says to a request; its word goes into `x-sanctum-cache`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// It does not take part.
    Off,
    Miss(Key),
    Hit {
        kept: Arc<Kept>,
        age: SignedDuration,
    },
}

impl Look {
    pub const fn word(&self) -> Option<&'static str> {
        match self {
            Self::Off => None,
            Self::Miss(_) => Some("miss"),
            Self::Hit { .. } => Some("hit"),
        }
    }
}

#[derive(Debug, Default)]
struct Shelf {
    entries: HashMap<Key, Entry>,
    /// By when they were last asked for.
    order: BTreeMap<u64, Key>,
    bytes: usize,
    turn: u64,
}

#[derive(Debug)]
struct Entry {
    kept: Arc<Kept>,
    at: Timestamp,
    turn: u64,
}

/// Answers in memory. Nothing of it is ever written to a disk.
#[derive(Debug, Default)]
pub struct Cache {
    config: Config,
    shelf: Mutex<Shelf>,
}

impl Cache {
    pub fn new(config: Config) -> Self {
        Self { config, shelf: Mutex::default() }
    }

    pub const fn is_on(&self) -> bool {
        self.config.on
    }

    /// Looks a request up. `api` is the path it came by, `body` what the client sent, and `privacy` its class.
    pub fn before(&self, agent: &str, api: &str, body: &[u8], privacy: Privacy, now: Timestamp) -> Look {
        if !self.config.on || (privacy.is_private() && !self.config.private) {
            return Look::Off;
        }
        let Ok(Value::Object(mut fields)) = serde_json::from_slice(body) else { return Look::Off };
        let has_tools = fields.get("tools").and_then(Value::as_array).is_some_and(|tools| !tools.is_empty());
        let is_cold = fields.get("temperature").and_then(Value::as_f64) == Some(0.0);
        if (has_tools && !self.config.tools) || (!is_cold && !self.config.any_temperature) {
            return Look::Off;
        }
        // What the provider remembers is not in the request.
        if ["previous_response_id", "conversation", "background"]
            .iter()
            .any(|name| fields.contains_key(*name))
        {
            return Look::Off;
        }
        fields.retain(|name, _| !NOISE.contains(&name.as_str()));
        let key = key(agent, api, &Value::Object(fields));
        self.find(key, now).unwrap_or(Look::Miss(key))
    }

    fn find(&self, key: Key, now: Timestamp) -> Option<Look> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        let age = now.duration_since(shelf.entries.get(&key)?.at);
        let fresh =
            SignedDuration::try_from(self.config.keep.0).is_ok_and(|keep| age < keep) && !age.is_negative();
        if !fresh {
            shelf.remove(key);
            return None;
        }
        shelf.turn += 1;
        let turn = shelf.turn;
        let entry = shelf.entries.get_mut(&key)?;
        let before = std::mem::replace(&mut entry.turn, turn);
        let kept = Arc::clone(&entry.kept);
        shelf.order.remove(&before);
        shelf.order.insert(turn, key);
        Some(Look::Hit { kept, age })
    }

    /// Keeps a good, complete answer for the next one who asks.
    pub fn after(&self, key: Key, kept: Kept, now: Timestamp) {
        let (size, most) = (kept.size(), usize::try_from(self.config.size.0).unwrap_or(usize::MAX));
        if size > usize::try_from(self.config.largest.0).unwrap_or(usize::MAX) || size > most {
            return;
        }
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.remove(key);
        while shelf.bytes + size > most {
            let Some((_, oldest)) = shelf.order.pop_first() else { break };
            shelf.remove(oldest);
        }
        shelf.turn += 1;
        let turn = shelf.turn;
        shelf.bytes += size;
        shelf.order.insert(turn, key);
        shelf.entries.insert(key, Entry { kept: Arc::new(kept), at: now, turn });
    }

    /// The largest answer that is worth gathering.
    pub fn largest(&self) -> usize {
        usize::try_from(self.config.largest.0).unwrap_or(usize::MAX)
    }

    /// Bytes and answers that are kept.
    pub fn held(&self) -> (usize, usize) {
        let shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        (shelf.bytes, shelf.entries.len())
    }
}

impl Shelf {
    fn remove(&mut self, key: Key) {
        if let Some(entry) = self.entries.remove(&key) {
            self.bytes = self.bytes.saturating_sub(entry.kept.size());
            self.order.remove(&entry.turn);
        }
    }
}

/// Objects in the order of their names, without spaces: two clients that say the same are the same.
fn key(agent: &str, api: &str, body: &Value) -> Key {
    let mut text = Vec::with_capacity(1024);
    for part in [agent, api] {
        text.extend_from_slice(&(part.len() as u64).to_le_bytes());
        text.extend_from_slice(part.as_bytes());
    }
    canonical(body, &mut text);
    let digest = ring::digest::digest(&ring::digest::SHA256, &text);
    let mut key = [0; 32];
    key.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    Key(key)
}

fn canonical(value: &Value, into: &mut Vec<u8>) {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort_unstable();
            into.push(b'{');
            for name in names {
                into.extend_from_slice(Value::String(name.clone()).to_string().as_bytes());
                into.push(b':');
                canonical(fields.get(name).unwrap_or(&Value::Null), into);
                into.push(b',');
            }
            into.push(b'}');
        }
        Value::Array(items) => {
            into.push(b'[');
            for item in items {
                canonical(item, into);
                into.push(b',');
            }
            into.push(b']');
        }
        other => into.extend_from_slice(other.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &str = r#"{"model":"m","temperature":0,"messages":[{"role":"user","content":"hi"}]}"#;

    fn at(secs: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_800_000_000 + secs)
    }

    fn cache(config: Config) -> Cache {
        Cache::new(Config { on: true, ..config })
    }

    fn kept(size: usize) -> Kept {
        Kept { media: "application/json".into(), pieces: vec![vec![b'x'; size].into()], served: "p/m".into() }
    }

    fn look(cache: &Cache, agent: &str, body: &str) -> Look {
        cache.before(agent, "/v1/chat/completions", body.as_bytes(), Privacy::Open, at(0))
    }

    fn miss(cache: &Cache, agent: &str, body: &str) -> Key {
        match look(cache, agent, body) {
            Look::Miss(key) => key,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_same_request_of_the_same_agent_is_answered_again_until_it_is_old() {
        let cache = cache(Config::default());
        cache.after(miss(&cache, "yoda", BODY), kept(10), at(0));
        let again =
            r#"{ "messages":[{"content":"hi","role":"user"}], "user":"x", "temperature":0, "model":"m" }"#;
        assert!(matches!(look(&cache, "yoda", again), Look::Hit { kept, .. } if *kept == self::kept(10)));
        assert!(matches!(look(&cache, "windu", BODY), Look::Miss(_)), "agents do not share");
        assert!(matches!(look(&cache, "yoda", &BODY.replace("hi", "ho")), Look::Miss(_)));
        assert!(matches!(
            look(&cache, "yoda", &BODY.replace("\"m\",", "\"m\",\"stream\":true,")),
            Look::Miss(_)
        ));
        let later = cache.before("yoda", "/v1/chat/completions", BODY.as_bytes(), Privacy::Open, at(3600));
        assert!(matches!(later, Look::Miss(_)));
        assert_eq!(cache.held(), (0, 0), "what is old is gone");
    }

    #[test]
    fn what_may_differ_or_must_not_be_kept_takes_no_part() {
        let tools = BODY.replace("\"m\",", "\"m\",\"tools\":[{}],");
        let warm = BODY.replace("0,", "0.7,");
        let default = BODY.replace("\"temperature\":0,", "");
        let remembers = BODY.replace("\"m\",", "\"m\",\"previous_response_id\":\"r\",");
        let plain = cache(Config::default());
        for body in [&tools, &warm, &default, &remembers, "[]", "{"] {
            assert_eq!(look(&plain, "yoda", body), Look::Off, "{body}");
        }
        for class in [Privacy::Health, Privacy::Finance] {
            assert_eq!(plain.before("yoda", "/", BODY.as_bytes(), class, at(0)), Look::Off);
        }
        let all = cache(Config { tools: true, any_temperature: true, private: true, ..Config::default() });
        for body in [&tools, &warm, &default] {
            assert!(matches!(look(&all, "yoda", body), Look::Miss(_)), "{body}");
        }
        assert!(matches!(all.before("yoda", "/", BODY.as_bytes(), Privacy::Health, at(0)), Look::Miss(_)));
        assert_eq!(look(&Cache::new(Config::default()), "yoda", BODY), Look::Off, "off by default");
    }

    proptest! {
        #[test]
        fn it_never_holds_more_than_it_may_and_forgets_the_least_wanted(
            steps in proptest::collection::vec((0_usize..12, 0_usize..4000, any::<bool>()), 1..120),
        ) {
            let cache = cache(Config { size: Size(8192), largest: Size(4096), ..Config::default() });
            // A plain model: the order of use, newest last.
            let mut model: Vec<(usize, usize)> = Vec::new();
            for (name, size, ask) in steps {
                let body = BODY.replace("hi", &format!("q{name}"));
                let look = look(&cache, "yoda", &body);
                let known = model.iter().position(|(of, _)| *of == name);
                prop_assert_eq!(matches!(look, Look::Hit { .. }), known.is_some());
                if let Some(at) = known {
                    let item = model.remove(at);
                    model.push(item);
                }
                if let (Look::Miss(key), false) = (look, ask) {
                    let kept = kept(size);
                    if kept.size() <= 4096 {
                        model.push((name, kept.size()));
                        while model.iter().map(|(_, size)| size).sum::<usize>() > 8192 {
                            model.remove(0);
                        }
                    }
                    cache.after(key, kept, at(0));
                }
                let (bytes, count) = cache.held();
                prop_assert_eq!((bytes, count), (model.iter().map(|(_, size)| size).sum(), model.len()));
                prop_assert!(bytes <= 8192);
            }
        }
    }
}
