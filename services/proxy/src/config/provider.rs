//! Who answers: where it is, what it speaks, what it is shown.

use std::collections::BTreeMap;

use sanctum_kernel::{Period, SecretRef};
use sanctum_llm::Dialect;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Ready;
use crate::kinds::Price;

/// A provider. Everything is taken from the ready-made one where it is absent.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Provider {
    /// The ready-made provider it begins as; if absent, the one of the section's own name, if there is one.
    pub like: Option<Ready>,
    /// What kind of API it has: `openai`, `anthropic` or `gemini`.
    pub kind: Option<Kind>,
    /// Where it is, with the part of the path before the dialect's own, such as `https://api.openai.com/v1`.
    pub base_url: Option<String>,
    /// Its key, by reference. A provider whose key is missing is not asked.
    pub key: Option<SecretRef>,
    /// How the key is shown.
    pub auth: Option<Auth>,
    /// `local` only if nothing it is told leaves this house; only then it is told what is private.
    pub locality: Option<Locality>,
    /// The dialects it takes, best first; what a client speaks passes as it is, the rest is translated into the first.
    pub speaks: Option<Vec<Speaks>>,
    /// Headers that are added to every request.
    pub headers: BTreeMap<String, String>,
    /// Values of `anthropic-beta` it does not take.
    pub without_beta: Vec<String>,
    /// Whether it takes `stream_options`, by which streams are metered.
    pub meters_streams: Option<bool>,
    /// Authorities of its certificate, in PEM.
    pub ca: Option<SecretRef>,
    /// The certificate it is shown, in PEM.
    pub client_certificate: Option<SecretRef>,
    /// The key of that certificate, in PEM.
    pub client_key: Option<SecretRef>,
    /// As in `[proxy]`, for this one.
    pub first_byte: Option<Period>,
    /// The latency breaker's limit, for this one.
    pub slow: Option<Period>,
    /// Most requests at once; others wait for their turn. No limit if absent.
    pub at_once: Option<u32>,
    /// The price of its models that have none of their own.
    pub price: Option<Price>,
}

/// What kind of API a provider has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Openai,
    Anthropic,
    Gemini,
}

impl Kind {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    pub(crate) const fn speaks(self) -> &'static [Speaks] {
        match self {
            Self::Openai => &[Speaks::Chat],
            Self::Anthropic => &[Speaks::Messages],
            Self::Gemini => &[Speaks::Gemini],
        }
    }

    pub(crate) const fn auth(self) -> Auth {
        match self {
            Self::Openai => Auth::Bearer,
            Self::Anthropic => Auth::XApiKey,
            Self::Gemini => Auth::XGoogApiKey,
        }
    }
}

/// How a key is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// `authorization: Bearer`.
    Bearer,
    XApiKey,
    XGoogApiKey,
    /// It needs none.
    None,
}

/// Where what a provider is told ends up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Locality {
    /// In this house.
    Local,
    /// Somewhere else.
    Cloud,
}

impl Locality {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Cloud => "cloud",
        }
    }
}

/// A dialect a provider takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Speaks {
    Chat,
    Responses,
    Messages,
    Gemini,
}

impl Speaks {
    pub(crate) const fn dialect(self) -> Dialect {
        match self {
            Self::Chat => Dialect::Chat,
            Self::Responses => Dialect::Responses,
            Self::Messages => Dialect::Messages,
            Self::Gemini => Dialect::Gemini,
        }
    }
}
