//! How each peer is started and configured.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{PEER_KEY, cache, free};

/// The program of a peer, where `tools/peers` puts it.
pub(super) fn program(kind: &str) -> PathBuf {
    cache().join("peers").join(match kind {
        "portkey" => "portkey/node_modules/@portkey-ai/gateway/build/start-server.js".to_owned(),
        "tensorzero" => "tensorzero/bin/python".to_owned(),
        kind => format!("{kind}/bin/{kind}"),
    })
}

/// What a peer is told: the kind of its provider, where to listen, what is behind it, and a place for files.
pub(super) struct Start<'a> {
    pub(super) of: &'a str,
    pub(super) port: u16,
    pub(super) upstream: &'a str,
    pub(super) dir: &'a Path,
}

impl Start<'_> {
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.join(name);
        sanctum_kernel::files::replace(&path, text.as_bytes(), 0o600).unwrap();
        path
    }

    pub(super) fn smg(&self, command: &mut Command) {
        let (port, metrics) = (self.port.to_string(), free().port().to_string());
        command.args(["launch", "--host", "127.0.0.1", "--port", &port, "--backend", self.of]);
        command.args(["--worker-urls", self.upstream, "--history-backend", "none"]);
        command.args(["--prometheus-port", &metrics, "--log-level", "error"]);
        command.args(["--disable-retries", "--disable-circuit-breaker"]);
        command.envs([("OPENAI_API_KEY", "x"), ("ANTHROPIC_API_KEY", "x")]);
    }

    pub(super) fn ferrogw(&self, command: &mut Command) {
        let config = self.file("ferrogw.yaml", &ferrogw_config(self.of));
        let at = format!("{}/v1", self.upstream);
        command.arg("serve").env("GATEWAY_CONFIG", config).env("PORT", self.port.to_string());
        match self.of {
            "anthropic" => command.envs([("ANTHROPIC_BASE_URL", at.as_str()), ("ANTHROPIC_API_KEY", "x")]),
            _ => command.envs([("OPENAI_BASE_URL", at.as_str()), ("OPENAI_API_KEY", "x")]),
        };
        command.envs([
            ("ALLOW_UNAUTHENTICATED_PROXY", "true"),
            ("MASTER_KEY", "fgw_0123456789abcdef0123456789abcdef"),
            ("RATE_LIMIT_RPS", "0"),
            ("LOG_LEVEL", "error"),
        ]);
    }

    pub(super) fn tensorzero(&self, command: &mut Command) {
        let config = self.file("tensorzero.toml", &tensorzero_config(self.upstream));
        command.arg(self.file("serve.py", TENSORZERO)).arg(config).arg(self.dir.join("url"));
    }

    pub(super) fn litellm(&self, command: &mut Command) {
        let config = self.file("litellm.yaml", &litellm_config(self.upstream));
        let port = self.port.to_string();
        command.arg("--config").arg(config).args([
            "--host",
            "127.0.0.1",
            "--port",
            &port,
            "--num_workers",
            "1",
        ]);
        command.envs([
            ("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
            ("LITELLM_TELEMETRY", "False"),
            ("LITELLM_LOG", "ERROR"),
        ]);
    }

    pub(super) fn portkey(&self, command: &mut Command, program: &Path) {
        command.arg(program).arg(format!("--port={}", self.port)).arg("--headless");
        command.envs([("TRUSTED_CUSTOM_HOSTS", "127.0.0.1,localhost"), ("NODE_ENV", "production")]);
    }
}

fn ferrogw_config(of: &str) -> String {
    format!(
        "apiVersion: v1\nstrategy:\n  mode: single\ntargets:\n  - virtual_key: {of}\n    retry:\n      attempts: 1\n    models: [mock]\n"
    )
}

fn tensorzero_config(upstream: &str) -> String {
    format!(
        "[gateway]\nobservability.enabled = false\n\n[models.mock]\nrouting = [\"up\"]\n\n[models.mock.providers.up]\ntype = \"openai\"\nmodel_name = \"mock\"\napi_base = \"{upstream}/v1/\"\napi_key_location = \"none\"\n"
    )
}

/// Starts the gateway inside of its Python package and writes its address.
const TENSORZERO: &str = r#"import sys, threading, warnings
warnings.filterwarnings("ignore")
from openai import OpenAI
from tensorzero import patch_openai_client
client = OpenAI(api_key="x", base_url="http://127.0.0.1:1/v1")
patch_openai_client(client, config_file=sys.argv[1], clickhouse_url=None, async_setup=False)
open(sys.argv[2] + ".new", "w").write(str(client.base_url))
import os
os.rename(sys.argv[2] + ".new", sys.argv[2])
threading.Event().wait()
"#;

fn litellm_config(upstream: &str) -> String {
    format!(
        r#"model_list:
  - model_name: "mock"
    litellm_params:
      model: "openai/mock"
      api_base: "{upstream}/v1"
      api_key: "sk-up"
      input_cost_per_token: 0.000001
      output_cost_per_token: 0.000002
  - model_name: "anthropic/mock"
    litellm_params:
      model: "anthropic/mock"
      api_base: "{upstream}"
      api_key: "sk-up"
      input_cost_per_token: 0.000001
      output_cost_per_token: 0.000002
  - model_name: "gemini/mock"
    litellm_params:
      model: "gemini/mock"
      api_base: "{upstream}/v1beta"
      api_key: "sk-up"
      input_cost_per_token: 0.000001
      output_cost_per_token: 0.000002
general_settings:
  master_key: "{PEER_KEY}"
litellm_settings:
  num_retries: 0
  request_timeout: 60
  telemetry: false
  drop_params: false
  use_chat_completions_url_for_anthropic_messages: true
"#
    )
}
