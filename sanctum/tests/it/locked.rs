//! A service is locked: people get one notice of it, whoever lives or dies meanwhile.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::program::Program;

const PATIENCE: Duration = Duration::from_mins(1);

fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited for: {what}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// A house of the hub, the watch and one service that can be made sick; ended whatever becomes of the test.
struct Up {
    program: Program,
    file: String,
}

impl Drop for Up {
    fn drop(&mut self) {
        // A process that was stopped cannot end.
        for name in ["watch", "app"] {
            self.signal(name, Signal::CONT);
        }
        self.program.run(&["down"]);
    }
}

impl Up {
    fn new(tell_after: &str) -> Self {
        let program = Program::with_house();
        let before = std::fs::read_to_string(program.home().join("sanctum.toml")).unwrap();
        let file = format!(
            "{before}
[supervise]
disabled = [\"firewall\", \"screen\", \"proxy\", \"dashboard\", \"memory\", \"deadman\"]
[service.app]
summary = \"falls ill when somebody says so\"
run = {{ command = [\"/bin/sh\", \"-c\", \"test -e sick || exec sleep 1000; echo 'line 3: no such zone'; exit 78\"] }}
"
        );
        let up = Self { program, file };
        up.tell_after(tell_after);
        up.up();
        up
    }

    fn tell_after(&self, length: &str) {
        self.program.write(&format!("{}[supervise.breaker]\ntell-after = \"{length}\"\n", self.file));
    }

    /// Whatever is locked: whoever asks for a house hears that not all of it is well.
    fn up(&self) {
        let ran = self.program.run(&["up", "--detach"]);
        assert!(ran.code <= 1, "{}{}", ran.out, ran.err);
    }

    fn service(&self, name: &str) -> Value {
        let status = self.program.json(&["status"]);
        let all = status["services"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|state| state["name"] == name).unwrap_or_default()
    }

    fn signal(&self, name: &str, signal: Signal) {
        if let Some(pid) = self.service(name)["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()) {
            kill_process(Pid::from_raw(pid).unwrap(), signal).ok();
        }
    }

    fn fall_ill(&self) {
        std::fs::File::create(self.program.home().join("sick")).unwrap();
        self.program.ok(&["restart", "app"]);
        wait("the service to be locked", || (self.service("app")["phase"] == "locked").then_some(()));
    }

    fn told_by(&self, who: &Value) {
        wait(&format!("people to be told by {who}"), || {
            let state = self.service("app");
            (state["phase"] == "locked" && state["locked"]["told"] == *who).then_some(())
        });
    }

    /// Everything the hub was told of the service.
    fn notices(&self) -> Vec<Value> {
        let page = self.program.json(&["notify", "--history", "app"]);
        let all = page["notifications"].as_array().cloned().unwrap_or_default();
        all.into_iter().filter(|one| one["notice"]["labels"]["service"] == "app").collect()
    }

    /// What called somebody: neither an end nor what is only shown.
    fn calls(&self) -> Vec<Value> {
        let shown = |one: &Value| {
            let channels = one["notice"]["force_channels"].as_array().map_or(0, Vec::len);
            one["notice"]["resolved"] == true || channels > 0
        };
        self.notices().into_iter().filter(|one| !shown(one)).collect()
    }

    fn mend(&self) {
        std::fs::remove_file(self.program.home().join("sick")).unwrap();
        self.program.ok(&["unlock", "app"]);
    }

    /// It is over, and so is everything that was told of it; one call was enough.
    fn ends(&self, source: &str) {
        self.mend();
        wait("everything that was told to be over", || {
            let all = self.notices();
            (!all.is_empty() && all.iter().all(|one| !one["resolved"].is_null())).then_some(())
        });
        let calls = self.calls();
        assert_eq!(calls.len(), 1, "{calls:#?}");
        assert_eq!(calls[0]["notice"]["source"], source, "{calls:#?}");
    }
}

#[test]
fn a_lock_is_told_once_by_the_watch_with_all_that_it_knows() {
    let house = Up::new("1h");
    house.fall_ill();
    house.told_by(&"watch".into());
    let calls = wait("the call", || Some(house.calls()).filter(|calls| !calls.is_empty()));
    let notice = &calls[0]["notice"];
    assert_eq!((&notice["severity"], &notice["title"]), (&"critical".into(), &"app is locked".into()));
    let message = notice["message"].as_str().unwrap();
    for part in [
        "Exit code 78",
        "; locked since ",
        "Nothing was tried.",
        "To do: remove the cause, then `sanctum unlock app`",
        "Its last lines:\nline 3: no such zone",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    house.ends("watch");
}

#[test]
fn a_lock_is_told_once_by_the_supervisor_where_the_watch_is_stopped() {
    let house = Up::new("1h");
    house.program.ok(&["stop", "watch"]);
    house.fall_ill();
    house.told_by(&"supervise".into());
    wait("the call", || (house.calls().len() == 1).then_some(()));
    // A watch that comes later shows it, and calls nobody.
    house.program.ok(&["start", "watch"]);
    wait("the watch to show it", || (house.notices().len() == 2).then_some(()));
    house.ends("supervise");
}

#[test]
fn a_lock_is_told_once_though_the_supervisor_is_killed_before_anybody_has_said_it() {
    for watch_lives in [true, false] {
        let house = Up::new("1h");
        house.signal("watch", Signal::STOP);
        house.fall_ill();
        house.told_by(&Value::Null);
        house.signal("supervise", Signal::KILL);
        wait("the supervisor to be gone", || (house.program.json(&["status"])["up"] == false).then_some(()));
        if !watch_lives {
            house.tell_after("1s");
        }
        house.up();
        if watch_lives {
            assert_eq!(house.notices().len(), 0, "nobody has told yet");
            house.signal("watch", Signal::CONT);
            house.told_by(&"watch".into());
        } else {
            house.told_by(&"supervise".into());
            house.signal("watch", Signal::CONT);
        }
        wait("the call", || (house.calls().len() == 1).then_some(()));
        house.ends(if watch_lives { "watch" } else { "supervise" });
    }
}
