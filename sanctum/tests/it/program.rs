//! Running the real binary in a home of its own.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A home with a binary to run in it.
#[derive(Debug)]
pub(crate) struct Program {
    home: std::path::PathBuf,
    /// Gone with this, unless the home is somebody else's.
    _own: Option<tempfile::TempDir>,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Program {
    pub(crate) fn new() -> Self {
        let own = tempfile::tempdir().unwrap();
        Self { home: own.path().to_owned(), _own: Some(own) }
    }

    /// A home with a configuration on free ports and a simulated router.
    pub(crate) fn with_house() -> Self {
        let program = Self::new();
        program.furnish("");
        program
    }

    /// The same in a place that is there already, with more in its file.
    pub(crate) fn at(place: &Path, more: &str) -> Self {
        let program = Self { home: place.to_owned(), _own: None };
        program.furnish(more);
        program
    }

    fn furnish(&self, more: &str) {
        self.write(&format!(
            "{}\n[house]\ntimezone = \"Europe/Paris\"\n\n[firewall]\nbackend = \"simulated\"\n{more}",
            listen()
        ));
    }

    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    pub(crate) fn write(&self, config: &str) {
        sanctum_testkit::kernel::files::replace(&self.home().join("sanctum.toml"), config.as_bytes(), 0o600)
            .unwrap();
    }

    /// The binary with words, not yet run.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        self.called(Path::new(env!("CARGO_BIN_EXE_sanctum")), words)
    }

    /// The binary under another name.
    pub(crate) fn called(&self, name: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(name);
        command
            .args(words)
            .env("SANCTUM_HOME", self.home())
            .env("NO_COLOR", "1")
            .env("COLUMNS", "100")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        Ran::of(&self.command(words).output().unwrap())
    }

    /// Runs and expects success; returns what was printed.
    pub(crate) fn ok(&self, words: &[&str]) -> String {
        let ran = self.run(words);
        assert_eq!(ran.code, 0, "{words:?}: {}{}", ran.out, ran.err);
        ran.out
    }

    /// Runs with `--json` and expects an answer in JSON, whatever the exit code.
    pub(crate) fn json(&self, words: &[&str]) -> serde_json::Value {
        let words = [words, &["--json"]].concat();
        let ran = self.run(&words);
        serde_json::from_str(&ran.out)
            .unwrap_or_else(|error| panic!("{words:?}: {error}: {}{}", ran.out, ran.err))
    }
}

impl Ran {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }
}

/// A `[listen]` section of free ports. They are free when asked, which is all that can be had: a port that is
/// taken in between fails the test with its name.
pub(crate) fn listen() -> String {
    let names =
        ["notify", "firewall", "screen", "dashboard", "supervise", "deadman", "proxy", "watch", "memory"];
    let sockets: Vec<_> = names.iter().map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let lines = names
        .iter()
        .zip(&sockets)
        .map(|(name, socket)| format!("{name} = \"{}\"\n", socket.local_addr().unwrap()));
    format!("[listen]\n{}", lines.collect::<String>())
}
