//! What is measured: a process, where to ask it, and how.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use sanctum_kernel::Failure;
use sanctum_testkit::gateway::{Gateway, PEER_KEY};

/// How long a start may take; Python's are slow.
const START: Duration = Duration::from_mins(2);

/// In this order; the first is the measure of the others.
pub(crate) const NAMES: [&str; 7] = ["bare", "sanctum", "smg", "ferrogw", "tensorzero", "litellm", "portkey"];

pub(crate) struct Measured {
    pub(crate) name: &'static str,
    pub(crate) gateway: Gateway,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) model: String,
    /// Whether it turns messages into chat completions.
    pub(crate) translates: bool,
}

impl Measured {
    pub(crate) fn path(&self, api: &str) -> String {
        format!("{}{api}", self.gateway.base)
    }
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Starts one; `None` when it is not installed.
pub(crate) fn start(
    name: &'static str,
    upstream: SocketAddr,
    wrap: &[&str],
) -> Result<Option<Measured>, Failure> {
    let url = format!("http://{upstream}");
    let bearer = |key: &str| vec![header("authorization", &format!("Bearer {key}"))];
    let mut model = "mock".to_owned();
    let (mut gateway, headers) = match name {
        "bare" => (bare(upstream, wrap)?, Vec::new()),
        "sanctum" => return ours(&url, wrap).map(Some),
        peer => {
            let Some(gateway) = Gateway::peer(peer, &url, wrap) else { return Ok(None) };
            let headers = match peer {
                "tensorzero" => {
                    "tensorzero::model_name::mock".clone_into(&mut model);
                    Vec::new()
                }
                "portkey" => vec![
                    header("x-portkey-provider", "openai"),
                    header("x-portkey-custom-host", &format!("{url}/v1")),
                    header("authorization", "Bearer sk-x"),
                ],
                "litellm" => bearer(PEER_KEY),
                _ => Vec::new(),
            };
            (gateway, headers)
        }
    };
    gateway.until_open(START)?;
    Ok(Some(Measured { name, gateway, headers, model, translates: name == "litellm" }))
}

fn bare(upstream: SocketAddr, wrap: &[&str]) -> Result<Gateway, Failure> {
    let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let me = std::env::current_exe()?;
    Ok(Gateway::program("bare", &me, &["--bare", &addr.to_string(), &upstream.to_string()], addr, wrap))
}

/// The release binary beside this program, with everything on: a key, classification, a budget, the log.
fn ours(url: &str, wrap: &[&str]) -> Result<Measured, Failure> {
    let config = format!(
        r#"[proxy.agent.bench]
cap = "1000000.00"

[proxy.budget]
house = "1000000.00"

[proxy.provider.up]
kind = "openai"
base-url = "{url}/v1"
auth = "none"

[proxy.model.mock]
provider = "up"
tier = "standard"
price = {{ input = 1.0, output = 2.0 }}
"#
    );
    let mut gateway = Gateway::ours(&binary()?, &config, wrap);
    gateway.until_open(START)?;
    let key = gateway.key("bench")?;
    let headers = vec![header("authorization", &format!("Bearer {key}"))];
    Ok(Measured { name: "sanctum", gateway, headers, model: "mock".to_owned(), translates: true })
}

fn binary() -> Result<PathBuf, Failure> {
    let beside =
        std::env::current_exe()?.parent().map(|dir| dir.join("sanctum")).filter(|path| path.is_file());
    beside.ok_or_else(|| {
        "there is no `sanctum` beside this program: build it (cargo build --release -p sanctum)".into()
    })
}
