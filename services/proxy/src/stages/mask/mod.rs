//! Personal data is replaced on the way to the cloud and put back on the way home.
//!
//! A placeholder such as `[EMAIL_1]` is numbered by where its value first stands in the conversation, so the same value has the
//! same one in every request of it, and nothing has to be remembered between requests.

mod find;
mod json;
mod restore;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use sanctum_llm::{Part, Request, Source, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

pub use find::{Kind, find};
pub use restore::{Masked, Restore};

/// Personal data is replaced on the way to the cloud and put back into the answer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Mask requests that leave the house.
    pub on: bool,
    /// Names of people (and of anything else) that are masked wherever they stand, such as `"Chloé"`.
    pub names: Vec<String>,
    /// E-mail addresses.
    pub emails: bool,
    /// Telephone numbers.
    pub phones: bool,
    /// Account numbers with a right checksum, and card numbers with a right sum.
    pub accounts: bool,
    /// Numbers of the French and the US social security.
    pub social_security: bool,
    /// Internet addresses, loopback aside.
    pub ip_addresses: bool,
    /// Streets with their number, where they can be told.
    pub addresses: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            on: false,
            names: Vec::new(),
            emails: true,
            phones: true,
            accounts: true,
            social_security: true,
            ip_addresses: true,
            addresses: true,
        }
    }
}

/// Masks requests.
#[derive(Debug, Clone, Default)]
pub struct Mask {
    config: Config,
    /// In small letters.
    names: Vec<String>,
}

impl Mask {
    pub fn new(config: Config) -> Self {
        let names = config.names.iter().map(|name| name.trim().to_lowercase());
        Self { names: names.filter(|name| !name.is_empty()).collect(), config }
    }

    pub const fn is_on(&self) -> bool {
        self.config.on
    }

    /// Replaces what is personal in everything the model would read; keeps what it stands for, for the answer.
    /// Pictures, signed reasoning and identifiers are left alone.
    pub fn before(&self, request: &mut Request) -> Masked {
        if !self.config.on {
            return Masked::default();
        }
        let mut work = Work { mask: self, taken: taken(request), ..Work::default() };
        for turn in &mut request.turns {
            turn.parts.iter_mut().for_each(|part| work.part(part));
        }
        for tool in &mut request.tools {
            match tool {
                Tool::Function { description, .. } => description.iter_mut().for_each(|text| work.text(text)),
                Tool::Opaque { json, .. } => work.raw(json),
            }
        }
        Masked(Arc::new(work.list))
    }

    fn wants(&self, kind: Kind) -> bool {
        let config = &self.config;
        match kind {
            Kind::Email => config.emails,
            Kind::Phone => config.phones,
            Kind::Iban | Kind::Card => config.accounts,
            Kind::Ssn => config.social_security,
            Kind::Ip => config.ip_addresses,
            Kind::Address => config.addresses,
            Kind::Name => true,
        }
    }
}

/// Whether the request has anything that looks like a placeholder already; then its words are not used.
fn taken(request: &Request) -> String {
    let mut seen = String::new();
    let mut parts: Vec<&Part> = request.turns.iter().flat_map(|turn| &turn.parts).collect();
    while let Some(part) = parts.pop() {
        match part {
            Part::Text { text, .. } | Part::ToolCall { arguments: text, .. } if text.contains('[') => {
                seen.push_str(text);
            }
            Part::ToolResult { parts: inner, .. } => parts.extend(inner),
            _ => {}
        }
    }
    seen
}

#[derive(Debug)]
struct Work<'m> {
    mask: &'m Mask,
    taken: String,
    /// Placeholder by value.
    known: HashMap<String, String>,
    counts: HashMap<Kind, u32>,
    list: Vec<(String, String)>,
}

impl Default for Work<'_> {
    fn default() -> Self {
        static OFF: Mask = Mask {
            config: Config {
                on: false,
                names: Vec::new(),
                emails: false,
                phones: false,
                accounts: false,
                social_security: false,
                ip_addresses: false,
                addresses: false,
            },
            names: Vec::new(),
        };
        Self {
            mask: &OFF,
            taken: String::new(),
            known: HashMap::new(),
            counts: HashMap::new(),
            list: Vec::new(),
        }
    }
}

impl Work<'_> {
    fn part(&mut self, part: &mut Part) {
        match part {
            Part::Text { text, .. } | Part::Refusal { text } | Part::Thinking { text, signature: None } => {
                self.text(text);
            }
            Part::ToolCall { arguments, .. } => {
                if let Some(masked) = json::replace(arguments, |text| self.masked(text)) {
                    *arguments = masked;
                }
            }
            Part::ToolResult { parts, .. } => parts.iter_mut().for_each(|part| self.part(part)),
            Part::Document { source: Source::Text { text, .. }, name, .. } => {
                self.text(text);
                if let Some(name) = name {
                    self.text(name);
                }
            }
            Part::Document { name, .. } => name.iter_mut().for_each(|name| self.text(name)),
            Part::Opaque { json, .. } => self.raw(json),
            _ => {}
        }
    }

    fn text(&mut self, text: &mut String) {
        if let Some(masked) = self.masked(text) {
            *text = masked;
        }
    }

    fn raw(&mut self, raw: &mut sanctum_llm::Raw) {
        let masked = json::replace(raw.get(), |text| self.masked(text));
        if let Some(masked) = masked.and_then(|json| serde_json::value::RawValue::from_string(json).ok()) {
            *raw = masked;
        }
    }

    /// The text with everything replaced; `None` when there was nothing to replace.
    fn masked(&mut self, text: &str) -> Option<String> {
        let mut out = String::new();
        let mut last = 0;
        for (at, kind) in find(text, &self.mask.names) {
            if self.mask.wants(kind) {
                out.push_str(text.get(last..at.start)?);
                out.push_str(&self.placeholder(text.get(at.clone())?, kind));
                last = at.end;
            }
        }
        if last == 0 {
            return None;
        }
        out.push_str(text.get(last..)?);
        Some(out)
    }

    fn placeholder(&mut self, value: &str, kind: Kind) -> String {
        if let Some(known) = self.known.get(value) {
            return known.clone();
        }
        let count = self.counts.entry(kind).or_default();
        let placeholder = loop {
            *count += 1;
            let placeholder = format!("[{}_{count}]", kind.word());
            if !self.taken.contains(&placeholder) {
                break placeholder;
            }
        };
        self.known.insert(value.to_owned(), placeholder.clone());
        self.list.push((placeholder.clone(), value.to_owned()));
        placeholder
    }
}
