//! Ready-made providers: one word takes one, and every part of it can be changed.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Auth, Can, Kind, Locality, Speaks};
use crate::kinds::{Price, Tier};

/// A ready-made provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ready {
    Anthropic,
    Openai,
    Openrouter,
    Gemini,
    /// LM Studio on :1234.
    LmStudio,
    /// Ollama on :11434.
    Ollama,
    /// llama.cpp's server on :8080.
    LlamaCpp,
    /// vLLM on :8000.
    Vllm,
    /// The house's own seat on :1337, with certificates on both sides.
    Council,
    /// The house's own seat on :3301.
    Coder,
    /// A bridge on :3456 that spends a subscription; what it is told goes to the cloud.
    Bridge,
}

/// What a ready-made provider is.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub(crate) ready: Ready,
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) base_url: &'static str,
    pub(crate) key: Option<&'static str>,
    pub(crate) auth: Auth,
    pub(crate) locality: Locality,
    pub(crate) speaks: &'static [Speaks],
    /// Whether what it answers costs nothing, whatever the model.
    pub(crate) free: bool,
    pub(crate) stock: &'static [Stock],
}

/// Models a ready-made provider brings with it.
#[derive(Debug)]
pub(crate) struct Stock {
    /// A name or a glob.
    pub(crate) name: &'static str,
    pub(crate) tier: Tier,
    /// US dollars for a million tokens: read, written.
    pub(crate) price: Option<(f64, f64)>,
    /// Read from the provider's cache, where that is not a tenth.
    pub(crate) cached: Option<f64>,
    pub(crate) context: Option<u64>,
    pub(crate) max_output: Option<u64>,
    pub(crate) can: &'static [Can],
    /// Whether the name without its star is a model that `auto` may choose.
    pub(crate) auto: bool,
}

impl Stock {
    pub(crate) fn price(&self) -> Option<Price> {
        let (input, output) = self.price?;
        Some(Price { input, output, cached: self.cached, ..Price::default() })
    }
}

const fn chosen(name: &'static str, tier: Tier, price: (f64, f64), context: u64, max_output: u64) -> Stock {
    Stock { auto: true, ..stock(name, tier, price, context, max_output) }
}

const EVERYTHING: &[Can] = &[Can::Tools, Can::Vision, Can::Thinking];
const EMBEDS: &[Can] = &[Can::Embeddings];
const SPEAKS: &[Can] = &[Can::Speech];

const fn stock(name: &'static str, tier: Tier, price: (f64, f64), context: u64, max_output: u64) -> Stock {
    let (price, context, max_output) = (Some(price), Some(context), Some(max_output));
    Stock { name, tier, price, cached: None, context, max_output, can: EVERYTHING, auto: false }
}

/// The providers' list prices of November 2025; a `[proxy.model.…]` of the same name changes them.
const ANTHROPIC: &[Stock] = &[
    chosen("claude-opus-4-5*", Tier::Strong, (5.0, 25.0), 200_000, 64_000),
    stock("claude-opus-*", Tier::Strong, (15.0, 75.0), 200_000, 32_000),
    chosen("claude-sonnet-4-5*", Tier::Standard, (3.0, 15.0), 200_000, 64_000),
    stock("claude-sonnet-*", Tier::Standard, (3.0, 15.0), 200_000, 64_000),
    chosen("claude-haiku-4-5*", Tier::Small, (1.0, 5.0), 200_000, 64_000),
    // Whatever comes next is taken for the dearest, so that a cap holds.
    stock("claude-*", Tier::Strong, (15.0, 75.0), 200_000, 64_000),
];
const OPENAI: &[Stock] = &[
    stock("gpt-5-nano*", Tier::Small, (0.05, 0.4), 400_000, 128_000),
    chosen("gpt-5-mini*", Tier::Small, (0.25, 2.0), 400_000, 128_000),
    stock("gpt-5-pro*", Tier::Strong, (15.0, 120.0), 400_000, 272_000),
    chosen("gpt-5*", Tier::Strong, (1.25, 10.0), 400_000, 128_000),
    Stock { cached: Some(0.5), ..stock("gpt-4.1", Tier::Standard, (2.0, 8.0), 1_047_576, 32_768) },
    Stock { cached: Some(0.1), ..stock("gpt-4.1-mini*", Tier::Small, (0.4, 1.6), 1_047_576, 32_768) },
    Stock { cached: Some(1.25), ..stock("gpt-4o", Tier::Standard, (2.5, 10.0), 128_000, 16_384) },
    Stock { cached: Some(0.075), ..stock("gpt-4o-mini*", Tier::Small, (0.15, 0.6), 128_000, 16_384) },
    Stock { can: EMBEDS, ..stock("text-embedding-3-small", Tier::Small, (0.02, 0.0), 8192, 1) },
    Stock { can: EMBEDS, ..stock("text-embedding-3-large", Tier::Standard, (0.13, 0.0), 8192, 1) },
    Stock { can: SPEAKS, ..stock("tts-1", Tier::Small, (60.0, 0.0), 8192, 1) },
    Stock { can: SPEAKS, ..stock("gpt-4o-mini-tts", Tier::Small, (12.0, 12.0), 8192, 4096) },
];
const GEMINI: &[Stock] = &[
    chosen("gemini-2.5-pro*", Tier::Strong, (2.5, 15.0), 1_048_576, 65_536),
    stock("gemini-2.5-flash-lite*", Tier::Small, (0.1, 0.4), 1_048_576, 65_536),
    chosen("gemini-2.5-flash*", Tier::Standard, (0.3, 2.5), 1_048_576, 65_536),
];

const fn local(ready: Ready, name: &'static str, base_url: &'static str) -> Sheet {
    let (kind, locality, speaks) = (Kind::Openai, Locality::Local, Kind::Openai.speaks());
    let (key, auth, free, stock) = (None, Auth::None, true, &[]);
    Sheet { ready, name, kind, base_url, key, auth, locality, speaks, free, stock }
}

/// The table.
pub(crate) const READY: &[Sheet] = &[
    Sheet {
        ready: Ready::Anthropic,
        name: "anthropic",
        kind: Kind::Anthropic,
        base_url: "https://api.anthropic.com/v1",
        key: Some("env:ANTHROPIC_API_KEY"),
        auth: Auth::XApiKey,
        locality: Locality::Cloud,
        speaks: &[Speaks::Messages],
        free: false,
        stock: ANTHROPIC,
    },
    Sheet {
        ready: Ready::Openai,
        name: "openai",
        kind: Kind::Openai,
        base_url: "https://api.openai.com/v1",
        key: Some("env:OPENAI_API_KEY"),
        auth: Auth::Bearer,
        locality: Locality::Cloud,
        speaks: &[Speaks::Chat, Speaks::Responses],
        free: false,
        stock: OPENAI,
    },
    Sheet {
        ready: Ready::Openrouter,
        name: "openrouter",
        kind: Kind::Openai,
        base_url: "https://openrouter.ai/api/v1",
        key: Some("env:OPENROUTER_API_KEY"),
        auth: Auth::Bearer,
        locality: Locality::Cloud,
        speaks: &[Speaks::Chat],
        free: false,
        stock: &[],
    },
    Sheet {
        ready: Ready::Gemini,
        name: "gemini",
        kind: Kind::Gemini,
        base_url: "https://generativelanguage.googleapis.com/v1beta",
        key: Some("env:GEMINI_API_KEY"),
        auth: Auth::XGoogApiKey,
        locality: Locality::Cloud,
        speaks: &[Speaks::Gemini],
        free: false,
        stock: GEMINI,
    },
    local(Ready::LmStudio, "lm-studio", "http://127.0.0.1:1234/v1"),
    local(Ready::Ollama, "ollama", "http://127.0.0.1:11434/v1"),
    local(Ready::LlamaCpp, "llama-cpp", "http://127.0.0.1:8080/v1"),
    local(Ready::Vllm, "vllm", "http://127.0.0.1:8000/v1"),
    local(Ready::Council, "council", "https://127.0.0.1:1337/v1"),
    local(Ready::Coder, "coder", "http://127.0.0.1:3301/v1"),
    Sheet {
        ready: Ready::Bridge,
        name: "bridge",
        kind: Kind::Anthropic,
        base_url: "http://127.0.0.1:3456/v1",
        key: None,
        auth: Auth::None,
        locality: Locality::Cloud,
        speaks: &[Speaks::Messages],
        free: true,
        stock: &[],
    },
];

impl Ready {
    pub(crate) fn sheet(self) -> Option<&'static Sheet> {
        READY.iter().find(|sheet| sheet.ready == self)
    }

    pub(crate) fn named(name: &str) -> Option<&'static Sheet> {
        READY.iter().find(|sheet| sheet.name == name)
    }
}
