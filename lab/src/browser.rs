//! A real Chromium that looks at the dashboard, driven by the DevTools protocol over two pipes.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Failure, exit};
use serde_json::{Value, json};

use crate::net::Net;
use crate::procs::{Proc, find, run, within};

/// Names under which distributions have it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Tells of each banner's story, with the moment at which it was painted: a banner has a link to its story.
const WATCHER: &str = r#"(() => {
  const told = new Set();
  const look = () => {
    for (const link of document.querySelectorAll('.banner a[href^="/story/"]')) {
      const id = link.getAttribute("href").slice("/story/".length);
      if (told.has(id)) continue;
      told.add(id);
      requestAnimationFrame(() => sanctumLab(JSON.stringify({ id, at: performance.timeOrigin + performance.now() })));
    }
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true });
  addEventListener("DOMContentLoaded", look);
})()"#;

/// Where Chromium is, if it is installed.
pub(crate) fn program() -> Option<PathBuf> {
    NAMES.iter().find_map(|name| find(name))
}

/// A browser with one page; it is closed when this is dropped.
#[derive(Debug)]
pub(crate) struct Browser {
    to: File,
    answers: Receiver<Value>,
    shown: Arc<Mutex<Vec<(String, i64)>>>,
    number: u64,
    session: Option<String>,
    _process: Proc,
}

impl Browser {
    /// Starts it in the router's namespace, where the dashboard listens on loopback.
    pub(crate) fn start(net: &Net) -> Result<Self, Failure> {
        let program = program().ok_or_else(|| {
            Hinted::new(exit::UNAVAILABLE, "there is no Chromium", "install `chromium`, or give --no-browser")
        })?;
        let dir = net.dir.path();
        let (to, from) = (dir.join("browser-in"), dir.join("browser-out"));
        for pipe in [&to, &from] {
            let mut command = std::process::Command::new("mkfifo");
            command.arg(pipe);
            run(command, "")?;
        }
        // Chromium reads commands from descriptor 3 and answers on 4; the shell opens them and becomes it.
        let script = format!(
            "exec {} --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --no-default-browser-check \
             --disable-background-networking --disable-component-update --disable-sync --mute-audio --window-size=1280,900 \
             --user-data-dir={} --remote-debugging-pipe 3<{} 4>{} 2>{}",
            program.display(),
            dir.join("browser").display(),
            to.display(),
            from.display(),
            dir.join("browser.log").display()
        );
        let mut command = within(&net.router, "sh", &["-c", &script]);
        command.env("HOME", dir).stdout(std::process::Stdio::null());
        let process = Proc::start("chromium", command)?;
        // Both ends open together; reading and writing keeps ours from waiting for a browser that never comes.
        let to = OpenOptions::new().read(true).write(true).open(&to)?;
        let from = OpenOptions::new().read(true).write(true).open(&from)?;
        let shown: Arc<Mutex<Vec<(String, i64)>>> = Arc::default();
        let (answer, answers) = channel();
        let noted = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut lines = BufReader::new(from).split(0);
            while let Some(Ok(line)) = lines.next() {
                let Ok(message) = serde_json::from_slice::<Value>(&line) else { continue };
                if text(&message, "/method") == "Runtime.bindingCalled" {
                    let told: Value =
                        serde_json::from_str(text(&message, "/params/payload")).unwrap_or_default();
                    let entry = (text(&told, "/id").to_owned(), nanos(&told));
                    noted.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
                } else if message.get("id").is_some() && answer.send(message).is_err() {
                    return;
                }
            }
        });
        Ok(Self { to, answers, shown, number: 0, session: None, _process: process })
    }

    fn call(&mut self, method: &str, params: &Value) -> Result<Value, Failure> {
        self.number += 1;
        let message = match &self.session {
            Some(session) => {
                json!({ "id": self.number, "method": method, "params": params, "sessionId": session })
            }
            None => json!({ "id": self.number, "method": method, "params": params }),
        };
        let mut bytes = serde_json::to_vec(&message)?;
        bytes.push(0);
        self.to.write_all(&bytes)?;
        loop {
            let answer = self
                .answers
                .recv_timeout(Duration::from_secs(30))
                .map_err(|_| format!("Chromium did not answer to {method}"))?;
            if answer.get("id").and_then(Value::as_u64) == Some(self.number) {
                let error = answer.get("error").map(|error| format!("Chromium refused {method}: {error}"));
                let result = answer.get("result").cloned().unwrap_or_default();
                return error.map_or(Ok(result), |error| Err(error.into()));
            }
        }
    }

    /// Opens a page and waits until it follows the house.
    pub(crate) fn open(&mut self, url: &str) -> Result<(), Failure> {
        let target = self.call("Target.createTarget", &json!({ "url": "about:blank" }))?;
        let attached = self.call(
            "Target.attachToTarget",
            &json!({ "targetId": text(&target, "/targetId"), "flatten": true }),
        )?;
        self.session = Some(text(&attached, "/sessionId").to_owned());
        self.call("Page.enable", &json!({}))?;
        self.call("Runtime.enable", &json!({}))?;
        self.call("Runtime.addBinding", &json!({ "name": "sanctumLab" }))?;
        self.call("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": WATCHER }))?;
        self.call("Page.navigate", &json!({ "url": url }))?;
        Ok(())
    }

    /// The value of an expression in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Result<Value, Failure> {
        let answer =
            self.call("Runtime.evaluate", &json!({ "expression": expression, "returnByValue": true }))?;
        Ok(answer.pointer("/result/value").cloned().unwrap_or_default())
    }

    /// When the page first showed something of a story.
    pub(crate) fn shown(&self, trace: &str) -> Option<i64> {
        self.shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .find(|(id, _)| id == trace)
            .map(|(_, at)| *at)
    }
}

fn text<'a>(value: &'a Value, place: &str) -> &'a str {
    value.pointer(place).and_then(Value::as_str).unwrap_or_default()
}

/// The moment in `at`, milliseconds of JavaScript, as nanoseconds.
fn nanos(told: &Value) -> i64 {
    let millis = told.get("at").and_then(Value::as_f64).unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, reason = "a moment of this century fits")]
    let whole = (millis * 1e6) as i64;
    whole
}
