//! A real Chromium, driven through chromedriver by plain WebDriver (W3C) and a few DevTools commands.

#![expect(clippy::indexing_slicing, reason = "serde_json answers null for what WebDriver did not say")]

use std::process::Stdio;
use std::time::Duration;

use sanctum_http::{Outbound, Outgoing};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Starting a browser on a busy machine takes seconds.
const PATIENCE: Duration = Duration::from_mins(1);
/// With half of all ports taken, a million to one that one of them goes well.
const TRIES: u32 = 20;
const FLAGS: [&str; 12] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-features=Translate,OptimizationHints,MediaRouter",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
];

/// One browser with a profile of its own; it ends with this value.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    url: String,
    outbound: Outbound,
    profile: tempfile::TempDir,
}

/// What it shows its pages on.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    pub width: u32,
    pub height: u32,
    pub dark: bool,
    pub mobile: bool,
}

impl Screen {
    pub const DESKTOP: Self = Self { width: 1280, height: 900, dark: false, mobile: false };
    pub const PHONE: Self = Self { width: 390, height: 844, dark: false, mobile: true };

    #[must_use]
    pub const fn dark(mut self) -> Self {
        self.dark = true;
        self
    }
}

impl Browser {
    /// Starts one. Fails with a message that names what is missing; `make tools` installs `chromium` and
    /// `chromium-driver`.
    pub async fn open() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let (driver, port) = driver().await;
        let base = format!("http://127.0.0.1:{port}");
        let mut browser = Self { driver, url: base.clone(), outbound: Outbound::default(), profile };
        let profile = format!("--user-data-dir={}", browser.profile.path().display());
        let args: Vec<&str> = FLAGS.into_iter().chain([profile.as_str()]).collect();
        let options = json!({ "args": args });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let session = browser.send("POST", "/session", &wanted).await;
        let id =
            session["sessionId"].as_str().unwrap_or_else(|| panic!("chromium does not start: {session}"));
        browser.url = format!("{base}/session/{id}");
        browser
    }

    async fn send(&self, method: &'static str, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.url);
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let body = if method == "GET" || method == "DELETE" {
            Vec::new()
        } else {
            serde_json::to_vec(body).unwrap()
        };
        let outgoing = Outgoing { method, url, headers, body, timeout: PATIENCE };
        let answer =
            self.outbound.send(outgoing).await.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let mut answer: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let value = answer["value"].take();
        assert!(value["error"].is_null(), "{method} {path}: {value}");
        value
    }

    /// Size, density and colours of the screen.
    pub async fn screen(&self, screen: Screen) {
        let (width, height) = (screen.width, screen.height);
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": screen.mobile });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics).await;
        let scheme = if screen.dark { "dark" } else { "light" };
        self.media(&[("prefers-color-scheme", scheme)]).await;
    }

    /// CSS media features, such as `prefers-reduced-motion` to `reduce`.
    pub async fn media(&self, features: &[(&str, &str)]) {
        let features: Vec<Value> =
            features.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": features })).await;
    }

    /// Leads to a page and returns when it has loaded.
    pub async fn visit(&self, url: &str) {
        self.send("POST", "/url", &json!({ "url": url })).await;
    }

    /// The value of a JavaScript expression.
    pub async fn eval(&self, expression: &str) -> Value {
        let script = format!("return ({expression});");
        self.send("POST", "/execute/sync", &json!({ "script": script, "args": [] })).await
    }

    /// Waits until the expression is true, and returns how long that took.
    pub async fn until(&self, expression: &str, deadline: Duration) -> Duration {
        let began = tokio::time::Instant::now();
        crate::eventually(expression, deadline, async || {
            self.eval(expression).await.as_bool().filter(|yes| *yes)
        })
        .await;
        began.elapsed()
    }

    /// Clicks what the CSS selector finds first, as a person with a mouse.
    pub async fn click(&self, selector: &str) {
        let found =
            self.send("POST", "/element", &json!({ "using": "css selector", "value": selector })).await;
        let id = found
            .as_object()
            .and_then(|found| found.values().next())
            .and_then(Value::as_str)
            .unwrap_or_default();
        self.send("POST", &format!("/element/{id}/click"), &json!({})).await;
    }

    /// Presses and releases keys, one after the other; `\u{e004}` is Tab, `\u{e007}` Enter, `\u{e00c}` Escape.
    pub async fn press(&self, keys: &str) {
        let strokes = keys.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }))
        });
        let strokes: Vec<Value> = strokes.collect();
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] });
        self.send("POST", "/actions", &actions).await;
    }

    /// A DevTools command and its answer.
    pub async fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.send("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).await
    }

    /// A PNG of what is to be seen; of the whole page if `whole`.
    pub async fn screenshot(&self, whole: bool) -> Vec<u8> {
        let parameters = json!({ "format": "png", "captureBeyondViewport": whole });
        let shot = self.devtools("Page.captureScreenshot", &parameters).await;
        base64(shot["data"].as_str().unwrap_or_default())
    }

    /// What the page has written to the console since the last time, errors of the network and of policies included.
    pub async fn console(&self) -> Vec<String> {
        let log = self.send("POST", "/se/log", &json!({ "type": "browser" })).await;
        log.as_array()
            .into_iter()
            .flatten()
            .map(|entry| format!("{}: {}", entry["level"], entry["message"]))
            .collect()
    }

    /// Every node of the accessibility tree that is not ignored: role and name.
    pub async fn accessibility(&self) -> Vec<(String, String)> {
        let tree = self.devtools("Accessibility.getFullAXTree", &json!({})).await;
        let text = |node: &Value, part: &str| node[part]["value"].as_str().unwrap_or_default().to_owned();
        let nodes = tree["nodes"].as_array().cloned().unwrap_or_default();
        let seen = nodes.iter().filter(|node| node["ignored"] != true);
        seen.map(|node| (text(node, "role"), text(node, "name"))).collect()
    }

    /// Ends it.
    pub async fn close(mut self) {
        self.send("DELETE", "", &Value::Null).await;
        self.end();
    }

    fn end(&mut self) {
        let group =
            self.driver.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group
            && rustix::process::kill_process_group(group, rustix::process::Signal::KILL).is_err()
        {}
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.end();
    }
}

/// A running chromedriver and its port. It takes a free port of `[::1]` and wants the same one of `127.0.0.1`; where
/// that one is taken it ends at once (“IPv4 port not available”), which a house full of sockets makes likely.
async fn driver() -> (Child, u16) {
    for _ in 0..TRIES {
        let mut command = Command::new("chromedriver");
        // A group of its own, so that the browser goes with it even when a test panics.
        command
            .arg("--port=0")
            .process_group(0)
            .kill_on_drop(true)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut driver = command
            .spawn()
            .expect("chromedriver is installed (Debian: `apt-get install chromium chromium-driver`)");
        let said = tokio::time::timeout(PATIENCE, port(&mut driver)).await;
        if let Some(port) = said.expect("chromedriver starts") {
            return (driver, port);
        }
    }
    panic!("chromedriver found no free port in {TRIES} tries");
}

/// It says which port it took; `None` if it ended instead.
async fn port(driver: &mut Child) -> Option<u16> {
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return port.trim_end_matches('.').parse().ok();
        }
    }
    None
}

/// RFC 4648 §4; here because nothing else in this crate needs it.
fn base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'a'..=b'z' => Some(u32::from(byte - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0);
    for value in text.bytes().filter_map(digit) {
        bits = (bits << 6 | value) & 0x00ff_ffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap_or_default());
        }
    }
    bytes
}
