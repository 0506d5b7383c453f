//! Units for what the file declares: the same words as for ours, and times for jobs.

use std::fmt::Write;

use sanctum_kernel::inventory::{Declared, Kind, Limits, Run, StopSignal};
use sanctum_kernel::{Cron, SecretRef};

use super::systemd::{escape, quote};
use super::{Place, Unit, launchd};

/// How long a program may take to end, if its declaration does not say.
const GRACE: u64 = 10;
/// launchd takes every time one by one; beyond this many a job is better kept by `sanctum up`.
const MOST_TIMES: usize = 400;

/// A declared service that can be run, and who requires it.
#[derive(Debug)]
pub(super) struct Foreign<'d> {
    pub(super) name: &'d str,
    pub(super) declared: &'d Declared,
    pub(super) run: &'d Run,
    pub(super) required_by: Vec<&'d str>,
    pub(super) zone: String,
}

fn service(name: &str) -> String {
    format!("sanctum-{name}.service")
}

fn services<'n>(names: impl Iterator<Item = &'n String>) -> String {
    names.map(|name| service(name)).collect::<Vec<_>>().join(" ")
}

/// What no unit file can hold: a secret stays where it is.
fn secrets(run: &Run) -> impl Iterator<Item = (&String, &String)> {
    run.environment.iter().filter(|(_, value)| value.parse::<SecretRef>().is_ok())
}

fn plain(run: &Run) -> impl Iterator<Item = (&String, &String)> {
    run.environment.iter().filter(|(_, value)| value.parse::<SecretRef>().is_err())
}

const fn signal(signal: StopSignal) -> &'static str {
    match signal {
        StopSignal::Term => "SIGTERM",
        StopSignal::Int => "SIGINT",
        StopSignal::Quit => "SIGQUIT",
        StopSignal::Hup => "SIGHUP",
        StopSignal::Usr1 => "SIGUSR1",
        StopSignal::Usr2 => "SIGUSR2",
    }
}

impl Foreign<'_> {
    fn title(&self) -> String {
        let name = self.declared.name.as_deref().unwrap_or(self.name);
        if self.declared.summary.is_empty() { name.to_owned() } else { format!("{name}: {}", self.declared.summary) }
    }

    fn grace(&self) -> u64 {
        self.run.grace.map_or(GRACE, |grace| grace.0.as_secs().max(1))
    }

    /// systemd.service(5), and systemd.timer(5) for a job with times.
    pub(super) fn systemd(&self, place: &Place<'_>) -> Vec<Unit> {
        let mut text = self.head();
        let mut line = |words: String| text.push_str(&(words + "\n"));
        line("\n[Service]".to_owned());
        let kind = match self.declared.kind {
            Kind::Continuous if self.run.notify => "notify",
            Kind::Continuous => "exec",
            Kind::OneShot | Kind::Scheduled => "oneshot",
        };
        line(format!("Type={kind}"));
        let words: Vec<String> = self.run.command.iter().map(|word| quote(word)).collect();
        line(format!("ExecStart={}", words.join(" ")));
        line(format!("Environment={}", quote(&format!("SANCTUM_HOME={}", place.home.display()))));
        plain(self.run).for_each(|(name, value)| line(format!("Environment={}", quote(&format!("{name}={value}")))));
        secrets(self.run).for_each(|(name, value)| line(format!("# {name} is the secret {value}: `sanctum up` reads it, systemd cannot.")));
        let directory = self.run.directory.as_deref().unwrap_or(place.home);
        line(format!("WorkingDirectory={}", escape(&directory.to_string_lossy())));
        for (key, value) in self.settings() {
            line(format!("{key}={value}"));
        }
        match self.declared.kind {
            Kind::Continuous => line("Restart=always\nRestartSec=1".to_owned()),
            Kind::OneShot => line("RemainAfterExit=yes".to_owned()),
            Kind::Scheduled => {}
        }
        if self.declared.kind != Kind::Scheduled {
            line("\n[Install]\nWantedBy=multi-user.target".to_owned());
        }
        let unit = Unit { file: service(self.name), text };
        let timer = self.run.schedule.as_ref().map(|schedule| {
            let mut text = format!("[Unit]\nDescription=Times of {}\n\n[Timer]\n", escape(&self.title()));
            for time in on_calendar(&schedule.cron, &self.zone) {
                writeln!(text, "OnCalendar={time}").ok();
            }
            if let Some(jitter) = schedule.jitter {
                writeln!(text, "RandomizedDelaySec={}", jitter.0.as_secs()).ok();
            }
            writeln!(text, "Persistent={}\n\n[Install]\nWantedBy=timers.target", schedule.catch_up.unwrap_or(true)).ok();
            Unit { file: format!("sanctum-{}.timer", self.name), text }
        });
        [unit].into_iter().chain(timer).collect()
    }

    /// Order and bonds. `BindsTo=` ends it with what it requires; `Upholds=` on the other side starts it again, which
    /// `Requires=` alone never does.
    fn head(&self) -> String {
        let declared = self.declared;
        let leaning = declared.requires.iter().chain(&declared.wants).chain(&declared.after);
        let mut text = format!("[Unit]\nDescription={}\nAfter=network.target {}", escape(&self.title()), services(leaning));
        text.truncate(text.trim_end().len());
        text.push('\n');
        let mut line = |key: &str, value: String| {
            if !value.is_empty() {
                writeln!(text, "{key}={value}").ok();
            }
        };
        line("BindsTo", services(declared.requires.iter()));
        line("Wants", services(declared.wants.iter().chain(&declared.after)));
        line("Upholds", self.required_by.iter().map(|name| service(name)).collect::<Vec<_>>().join(" "));
        line("StartLimitIntervalSec", "0".to_owned());
        text
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let Run { user, group, limits, oom_score, nice, stop_signal, start_within, .. } = self.run;
        let Limits { memory, files, processes, cpu, file_size, core } = limits;
        let limit = self.run.schedule.as_ref().and_then(|schedule| schedule.timeout).or(*start_within);
        let all = [
            ("User", user.clone()),
            ("Group", group.clone()),
            ("Nice", nice.map(|nice| nice.to_string())),
            ("OOMScoreAdjust", oom_score.map(|score| score.to_string())),
            ("LimitAS", memory.map(|size| size.0.to_string())),
            ("LimitNOFILE", files.map(|files| files.to_string())),
            ("LimitNPROC", processes.map(|processes| processes.to_string())),
            ("LimitCPU", cpu.map(|cpu| cpu.0.as_secs().max(1).to_string())),
            ("LimitFSIZE", file_size.map(|size| size.0.to_string())),
            ("LimitCORE", Some(core.map_or(0, |size| size.0).to_string())),
            ("KillSignal", stop_signal.map(|stop| signal(stop).to_owned())),
            ("TimeoutStartSec", limit.map(|limit| limit.0.as_secs().max(1).to_string())),
            ("TimeoutStopSec", Some(self.grace().to_string())),
            ("KillMode", Some("mixed".to_owned())),
        ];
        all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }

    /// launchd.plist(5).
    pub(super) fn launchd(&self, place: &Place<'_>) -> Unit {
        let text = launchd::escape;
        let home = place.home.to_string_lossy();
        let string = |key: &str, value: &str| format!("  <key>{key}</key>\n  <string>{}</string>\n", text(value));
        let number = |key: &str, value: u64| format!("  <key>{key}</key>\n  <integer>{value}</integer>\n");
        let mut body = string("Label", &format!("dev.sanctum.{}", self.name));
        let words: String = self.run.command.iter().fold(String::new(), |words, word| words + &format!("    <string>{}</string>\n", text(word)));
        write!(body, "  <key>ProgramArguments</key>\n  <array>\n{words}  </array>\n").ok();
        let home_variable = ("SANCTUM_HOME".to_owned(), home.clone().into_owned());
        let variables = [home_variable].into_iter().chain(plain(self.run).map(|(name, value)| (name.clone(), value.clone())));
        let variables = variables.fold(String::new(), |all, (name, value)| all + &format!("    <key>{}</key>\n    <string>{}</string>\n", text(&name), text(&value)));
        write!(body, "  <key>EnvironmentVariables</key>\n  <dict>\n{variables}  </dict>\n").ok();
        for (name, value) in secrets(self.run) {
            let (name, value) = (launchd::comment(name), launchd::comment(value));
            writeln!(body, "  <!-- {name} is the secret {value}: sanctum up reads it, launchd cannot -->").ok();
        }
        let directory = self.run.directory.as_deref().unwrap_or(place.home).to_string_lossy();
        body.push_str(&string("WorkingDirectory", &directory));
        body.extend(self.run.user.iter().map(|user| string("UserName", user)));
        body.extend(self.run.group.iter().map(|group| string("GroupName", group)));
        body.extend(self.run.nice.map(|nice| format!("  <key>Nice</key>\n  <integer>{nice}</integer>\n")));
        body.push_str(&self.life());
        let log = format!("{home}/logs/{}.log", self.name);
        body += &(number("ThrottleInterval", 10) + &number("ExitTimeOut", self.grace()) + &string("StandardOutPath", &log) + &string("StandardErrorPath", &log));
        let title = launchd::comment(&self.title());
        let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">";
        Unit { file: format!("dev.sanctum.{}.plist", self.name), text: format!("{head}\n<!-- {title} -->\n<plist version=\"1.0\">\n<dict>\n{body}</dict>\n</plist>\n") }
    }

    /// When launchd starts it.
    fn life(&self) -> String {
        let Some(schedule) = &self.run.schedule else {
            let keep = if self.declared.kind == Kind::Continuous { "true" } else { "false" };
            return format!("  <key>RunAtLoad</key>\n  <true/>\n  <key>KeepAlive</key>\n  <{keep}/>\n");
        };
        let times = intervals(&schedule.cron);
        if times.len() > MOST_TIMES {
            return "  <!-- it has too many times for launchd: leave it to sanctum up -->\n".to_owned();
        }
        let dicts = times.iter().fold(String::new(), |all, time| {
            let keys = time.iter().fold(String::new(), |keys, (key, value)| keys + &format!("<key>{key}</key><integer>{value}</integer>"));
            all + &format!("    <dict>{keys}</dict>\n")
        });
        format!("  <key>StartCalendarInterval</key>\n  <array>\n{dicts}  </array>\n")
    }
}

/// A list of values, or `*` where every one is meant.
fn list(values: &[u16], all: usize) -> String {
    if values.len() >= all {
        return "*".to_owned();
    }
    values.iter().map(|value| format!("{value:02}")).collect::<Vec<_>>().join(",")
}

/// systemd.time(7). Where crontab(5) means either day, two lines do.
pub(super) fn on_calendar(cron: &Cron, zone: &str) -> Vec<String> {
    let times = cron.times();
    let (months, clock) = (list(&times.months, 12), format!("{}:{}:00 {zone}", list(&times.hours, 24), list(&times.minutes, 60)));
    let on_days = |days: &str| format!("*-{months}-{days} {clock}");
    let week = times.weekdays.map(|days| {
        let names = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
        let mut days: Vec<usize> = days.iter().map(|day| usize::from(*day) % 7).collect();
        days.sort_unstable();
        days.dedup();
        days.iter().filter_map(|day| names.get(*day).copied()).collect::<Vec<_>>().join(",")
    });
    match (times.days, week) {
        (None, None) => vec![on_days("*")],
        (Some(days), None) => vec![on_days(&list(&days, 31))],
        (None, Some(week)) => vec![format!("{week} {}", on_days("*"))],
        (Some(days), Some(week)) => vec![on_days(&list(&days, 31)), format!("{week} {}", on_days("*"))],
    }
}

/// Every combination, as launchd wants them; what is left out means every one.
fn intervals(cron: &Cron) -> Vec<Vec<(&'static str, u16)>> {
    let times = cron.times();
    let vary = |all: Vec<Vec<(&'static str, u16)>>, key: &'static str, values: Option<&[u16]>| match values {
        None => all,
        Some(values) => all.iter().flat_map(|time| values.iter().map(move |value| time.iter().copied().chain([(key, *value)]).collect())).collect(),
    };
    let some = |values: &'_ [u16], most: usize| (values.len() < most).then(|| values.to_vec());
    let mut base = vec![Vec::new()];
    for (key, values) in [("Month", some(&times.months, 12)), ("Hour", some(&times.hours, 24)), ("Minute", some(&times.minutes, 60))] {
        base = vary(base, key, values.as_deref());
        if base.len() > MOST_TIMES {
            return base;
        }
    }
    match (&times.days, &times.weekdays) {
        (None, None) => base,
        (days, week) => {
            let by_day = days.as_ref().map(|days| vary(base.clone(), "Day", Some(days)));
            let by_week = week.as_ref().map(|week| vary(base, "Weekday", Some(week)));
            by_day.into_iter().chain(by_week).flatten().collect()
        }
    }
}
