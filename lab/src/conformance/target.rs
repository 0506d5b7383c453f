//! What is put to the test: ours, or a peer with the names, headers and doors it wants.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use sanctum_kernel::Failure;
use sanctum_testkit::gateway::{Gateway, PEER_KEY};
use sanctum_testkit::provider::Provider;

use super::dialect::{Client, Upstream};
use super::stage::Stage;

/// How long a gateway may take to start; Python's are slow.
const START: Duration = Duration::from_mins(2);

/// A gateway that runs, and the stage before it.
pub(super) struct Target {
    /// Kept running.
    _gateways: Vec<Gateway>,
    pub(super) stage: Stage,
}

/// Every kind of provider at one address each, time-outs that a test can wait for, and a breaker that stays closed: what
/// a breaker does is no matter of conformance.
fn config(provider: &Provider, other: &Provider) -> String {
    let (up, other) = (provider.url(), other.url());
    let model = |name: &str, provider: &str| {
        format!(
            "[proxy.model.{name}]\nprovider = \"{provider}\"\ntier = \"standard\"\nprice = {{ input = 1.0, output = 2.0 }}\n\n"
        )
    };
    let models = [
        ("mock-openai", "openai"),
        ("\"mock-openai-*\"", "openai"),
        ("\"mock-local-*\"", "local"),
        ("\"mock-anthropic-*\"", "anthropic"),
        ("\"mock-gemini-*\"", "gemini"),
        ("mock-other", "other"),
        ("mock-embed", "openai"),
        ("mock-embed-busy", "openai"),
    ]
    .map(|(name, provider)| model(name, provider))
    .concat();
    format!(
        r#"[proxy]
rescue = "never"
attempts = 1
first-byte = "4s"
idle = "1s"
heartbeat = "1s"
deadline = "20s"

[proxy.breaker]
failures = 1000000

[proxy.agent.lab]
cap = "1000.00"

[proxy.provider.openai]
kind = "openai"
base-url = "{up}/v1"
key = "env:LAB_UPSTREAM_KEY"
speaks = ["chat", "responses"]

[proxy.provider.local]
kind = "openai"
base-url = "{up}/v1"
auth = "none"
locality = "local"

[proxy.provider.anthropic]
kind = "anthropic"
base-url = "{up}/v1"
key = "env:LAB_UPSTREAM_KEY"

[proxy.provider.gemini]
kind = "gemini"
base-url = "{up}/v1beta"
key = "env:LAB_UPSTREAM_KEY"

[proxy.provider.other]
kind = "anthropic"
base-url = "{other}/v1"
key = "env:LAB_UPSTREAM_KEY"

{models}"#
    )
}

fn bearer(_: Client, _: Upstream, stage: &Stage) -> Vec<(String, String)> {
    vec![("authorization".to_owned(), format!("Bearer {}", stage.key))]
}

pub(super) fn ours(binary: &Path) -> Result<Target, Failure> {
    let (provider, other) = (Provider::start(), Provider::start());
    let mut gateway = Gateway::ours(binary, &config(&provider, &other), &[]);
    gateway.until_open(START)?;
    let key = gateway.key("lab")?;
    let stage = Stage {
        addr: |addrs, _, _| first(addrs),
        addrs: vec![gateway.addr],
        base: gateway.base.clone(),
        headers: bearer,
        key,
        model: |_, upstream| Some(format!("mock-{}", upstream.word())),
        provider,
        other,
        other_model: Some("mock-other"),
        embeds: "mock-embed",
        pairs: AtomicU64::new(0),
        ours: true,
    };
    Ok(Target { _gateways: vec![gateway], stage })
}

fn first(addrs: &[SocketAddr]) -> SocketAddr {
    addrs.first().copied().unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 9)))
}

fn last(addrs: &[SocketAddr]) -> SocketAddr {
    addrs.last().copied().unwrap_or_else(|| first(addrs))
}

/// Processes, models and headers of a peer.
struct Peer {
    name: &'static str,
    processes: &'static [&'static str],
    addr: fn(&[SocketAddr], Client, Upstream) -> SocketAddr,
    model: fn(Client, Upstream) -> Option<String>,
    headers: fn(Client, Upstream, &Stage) -> Vec<(String, String)>,
}

/// The routes each one offers; what it does not offer is not counted against it.
const PEERS: &[Peer] = &[
    Peer {
        name: "smg",
        processes: &["smg", "smg-anthropic"],
        addr: |addrs, client, _| if client == Client::Messages { last(addrs) } else { first(addrs) },
        model: |client, upstream| (upstream == client.own()).then(|| "mock".to_owned()),
        headers: bearer,
    },
    Peer {
        name: "ferrogw",
        processes: &["ferrogw", "ferrogw-anthropic"],
        addr: |addrs, _, upstream| if upstream == Upstream::Anthropic { last(addrs) } else { first(addrs) },
        model: |client, upstream| {
            let offered =
                client == Client::Chat && matches!(upstream, Upstream::OpenAi | Upstream::Anthropic);
            offered.then(|| "mock".to_owned())
        },
        headers: bearer,
    },
    Peer {
        name: "tensorzero",
        processes: &["tensorzero"],
        addr: |addrs, _, _| first(addrs),
        model: |client, upstream| {
            let offered = client == Client::Chat && upstream == Upstream::OpenAi;
            offered.then(|| "tensorzero::model_name::mock".to_owned())
        },
        headers: bearer,
    },
    Peer {
        name: "litellm",
        processes: &["litellm"],
        addr: |addrs, _, _| first(addrs),
        model: |_, upstream| {
            Some(match upstream {
                Upstream::OpenAi => "mock".to_owned(),
                Upstream::Local => return None,
                upstream => format!("{}/mock", upstream.word()),
            })
        },
        headers: bearer,
    },
    Peer {
        name: "portkey",
        processes: &["portkey"],
        addr: |addrs, _, _| first(addrs),
        model: |client, upstream| {
            let offered = match client {
                Client::Chat => upstream != Upstream::Local,
                Client::Messages => upstream == Upstream::Anthropic,
                Client::Responses => upstream == Upstream::OpenAi,
            };
            offered.then(|| "mock".to_owned())
        },
        headers: |client, upstream, stage| {
            let kind = if upstream == Upstream::Gemini { "google" } else { upstream.word() };
            let version = if upstream == Upstream::Gemini { "v1beta" } else { "v1" };
            let mut headers = vec![
                ("x-portkey-provider".to_owned(), kind.to_owned()),
                ("x-portkey-custom-host".to_owned(), format!("{}/{version}", stage.provider.url())),
                ("authorization".to_owned(), format!("Bearer {}", stage.key)),
            ];
            if client == Client::Messages {
                headers.push(("x-api-key".to_owned(), stage.key.clone()));
                headers.push(("anthropic-version".to_owned(), "2023-06-01".to_owned()));
            }
            headers
        },
    },
];

/// The names `--against` takes.
pub(super) fn peers() -> Vec<&'static str> {
    PEERS.iter().map(|peer| peer.name).collect()
}

/// `None` when it is not installed.
pub(super) fn peer(name: &str) -> Result<Option<Target>, Failure> {
    let Some(peer) = PEERS.iter().find(|peer| peer.name == name) else {
        return Err(format!("`{name}` is none of {}", peers().join(", ")).into());
    };
    let (provider, other) = (Provider::start(), Provider::start());
    let mut gateways = Vec::new();
    for process in peer.processes {
        let Some(mut gateway) = Gateway::peer(process, &provider.url(), &[]) else { return Ok(None) };
        gateway.until_open(START)?;
        gateways.push(gateway);
    }
    let base = gateways.first().map(|gateway| gateway.base.clone()).unwrap_or_default();
    let stage = Stage {
        addr: peer.addr,
        addrs: gateways.iter().map(|gateway| gateway.addr).collect(),
        base,
        headers: peer.headers,
        key: PEER_KEY.to_owned(),
        model: peer.model,
        provider,
        other,
        other_model: None,
        embeds: "mock",
        pairs: AtomicU64::new(0),
        ours: false,
    };
    Ok(Some(Target { _gateways: gateways, stage }))
}
