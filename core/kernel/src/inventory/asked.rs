//! What no type can say of a check: exactly one kind, addresses that are some, shares that are some.

use std::time::Duration;

use super::check::{Certificate, Check, Http, Json};
use crate::{Complaint, Period, Tier};

/// How long an answer may take where nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a stream of events may be silent where nothing else is said.
const SILENCE: Duration = Duration::from_secs(30);

impl Tier {
    /// How often what is asked of a service of this tier is asked.
    pub const fn cadence(self) -> Duration {
        match self {
            Self::Critical => Duration::from_secs(30),
            Self::Important => Duration::from_mins(1),
            Self::Ordinary => Duration::from_mins(5),
        }
    }
}

impl Check {
    fn kinds(&self) -> [(&'static str, bool); 16] {
        [
            ("http", self.http.is_some()),
            ("tcp", self.tcp.is_some()),
            ("udp", self.udp.is_some()),
            ("dns", self.dns.is_some()),
            ("icmp", self.icmp.is_some()),
            ("process", self.process.is_some()),
            ("command", self.command.is_some()),
            ("file", self.file.is_some()),
            ("disk", self.disk.is_some()),
            ("memory", self.memory.is_some()),
            ("container", self.container.is_some()),
            ("sqlite", self.sqlite.is_some()),
            ("events", self.events.is_some()),
            ("certificate", self.certificate.is_some()),
            ("contract", self.contract.is_some()),
            ("health", self.health.is_some()),
        ]
    }

    /// The word of its kind, such as `http`; `none` for one that `complaints` would refuse.
    pub fn kind(&self) -> &'static str {
        self.kinds().into_iter().find(|(_, given)| *given).map_or("none", |(word, _)| word)
    }

    /// How long an answer may take, from the question on.
    pub fn patience(&self) -> Duration {
        let timeout = self.timeout.map_or(TIMEOUT, |period| period.0);
        // Its silence is what is measured, so that it comes on top.
        timeout + self.events.as_ref().map_or(Duration::ZERO, super::check::Events::silence)
    }

    /// How often it is asked of a service of this tier.
    pub fn cadence(&self, tier: Tier) -> Duration {
        self.every.map_or_else(|| tier.cadence(), |period| period.0)
    }

    /// Everything that is wrong with it; paths begin at the check.
    pub fn complaints(&self) -> Vec<Complaint> {
        let mut found = Vec::new();
        let given: Vec<&str> =
            self.kinds().into_iter().filter(|(_, given)| *given).map(|(word, _)| word).collect();
        match given.as_slice() {
            [_] => {}
            [] => {
                let kinds = self.kinds().map(|(word, _)| word).join(", ");
                let hint =
                    format!("such as `tcp = {{ address = \"127.0.0.1:8123\" }}`; the kinds are {kinds}");
                found.push(Complaint::new(&[], "this check asks nothing").hint(hint));
            }
            several => {
                let (count, kinds) = (several.len(), several.join(", "));
                let message = format!("one check asks one question, this one asks {count}: {kinds}");
                found.push(Complaint::new(&[], message).hint("write one check for each"));
            }
        }
        self.lengths(&mut found);
        self.network(&mut found);
        self.machine(&mut found);
        found
    }

    fn lengths(&self, found: &mut Vec<Complaint>) {
        for (key, period) in [("every", self.every), ("timeout", self.timeout)] {
            if period.is_some_and(|period| period.0.is_zero()) {
                let message = format!("`{key}` is {}", Period(Duration::ZERO));
                found
                    .push(Complaint::new(&[key], message).hint("a length of time above zero, such as `10s`"));
            }
        }
        for (key, count) in [("fails", self.fails), ("passes", self.passes)] {
            if count == Some(0) {
                found
                    .push(Complaint::new(&[key], format!("`{key}` is 0")).hint("1 or more answers in a row"));
            }
        }
    }

    fn network(&self, found: &mut Vec<Complaint>) {
        if let Some(http) = &self.http {
            http.complaints(found);
        }
        if let Some(events) = &self.events {
            url(&["events", "url"], &events.url, found);
        }
        if let Some(tcp) = &self.tcp {
            address(&["tcp", "address"], &tcp.address, found);
            some(&["tcp", "banner"], tcp.banner.as_deref(), found);
        }
        if let Some(udp) = &self.udp {
            address(&["udp", "address"], &udp.address, found);
            some(&["udp", "expect"], udp.expect.as_deref(), found);
        }
        if let Some(health) = &self.health {
            address(&["health", "address"], &health.address, found);
        }
        if let Some(icmp) = &self.icmp {
            host(&["icmp", "host"], &icmp.host, found);
        }
        if let Some(dns) = &self.dns {
            host(&["dns", "name"], dns.name.trim_end_matches('.'), found);
            if let Some(server) = &dns.server {
                address(&["dns", "server"], server, found);
            }
            if let Some(expect) =
                dns.expect.as_ref().filter(|expect| expect.parse::<std::net::IpAddr>().is_err())
            {
                let message = format!("`{expect}` is not an address");
                found.push(Complaint::new(&["dns", "expect"], message).hint("an IPv4 or IPv6 address"));
            }
        }
        if let Some(Certificate { address: at, file, .. }) = &self.certificate {
            if at.is_some() == file.is_some() {
                let message = "a certificate is looked at in one place";
                found.push(Complaint::new(&["certificate"], message).hint("give `address` or `file`"));
            }
            if let Some(at) = at {
                address(&["certificate", "address"], at, found);
            }
        }
    }

    fn machine(&self, found: &mut Vec<Complaint>) {
        if let Some(process) = &self.process {
            if process.name.is_none() && process.pid_file.is_none() {
                let message = "nothing says which process";
                found.push(Complaint::new(&["process"], message).hint("give `name` or `pid-file`"));
            }
            some(&["process", "name"], process.name.as_deref(), found);
        }
        if let Some(command) = &self.command
            && command.command.first().is_none_or(String::is_empty)
        {
            let hint = "the program and its arguments, such as `[\"/usr/bin/true\"]`";
            found.push(Complaint::new(&["command", "command"], "no program is named").hint(hint));
        }
        if let Some(disk) = &self.disk {
            percent(&["disk", "max-used"], disk.max_used, found);
        }
        if let Some(memory) = &self.memory {
            percent(&["memory", "max-pressure"], memory.max_pressure, found);
            if memory.min_available.is_none() && memory.max_pressure.is_none() {
                let message = "nothing says what is too little";
                found.push(
                    Complaint::new(&["memory"], message).hint("give `min-available` or `max-pressure`"),
                );
            }
        }
        if let Some(container) = &self.container {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
            if container.name.is_empty() || !container.name.chars().all(plain) {
                let message = format!("`{}` is not the name of a container", container.name);
                found.push(
                    Complaint::new(&["container", "name"], message).hint("letters, digits, `_`, `.` and `-`"),
                );
            }
        }
    }
}

impl super::check::Events {
    /// How long it may be silent.
    pub fn silence(&self) -> Duration {
        self.within.map_or(SILENCE, |period| period.0)
    }
}

impl Http {
    fn complaints(&self, found: &mut Vec<Complaint>) {
        url(&["http", "url"], &self.url, found);
        for status in self.status.iter().filter(|status| !(100..=599).contains(*status)) {
            let message = format!("`{status}` is not a status of HTTP");
            found.push(Complaint::new(&["http", "status"], message).hint("numbers from 100 to 599"));
        }
        some(&["http", "body"], self.body.as_deref(), found);
        some(&["http", "not-body"], self.not_body.as_deref(), found);
        if let Some(json) = &self.json {
            json.complaints(found);
        }
        if self.url.starts_with("http://") && (self.min_left.is_some() || self.verify.is_some()) {
            let message = "there is no certificate where nothing is encrypted";
            found.push(
                Complaint::new(&["http", "url"], message)
                    .hint("an `https://` address, or no `min-left` and `verify`"),
            );
        }
    }
}

impl Json {
    fn complaints(&self, found: &mut Vec<Complaint>) {
        if !self.at.is_empty() && !self.at.starts_with('/') {
            let message = format!("`{}` is not a JSON pointer", self.at);
            found.push(
                Complaint::new(&["http", "json", "at"], message)
                    .hint(format!("`/{}`", self.at.replace('.', "/"))),
            );
        }
        if self.min.zip(self.max).is_some_and(|(min, max)| min > max) {
            let message = "no number is above `min` and below `max`";
            found.push(
                Complaint::new(&["http", "json", "min"], message).hint("a `min` that is not above `max`"),
            );
        }
        if self.equals.is_some() && (self.min.is_some() || self.max.is_some()) {
            let message = "`equals` compares text, `min` and `max` compare numbers";
            found.push(Complaint::new(&["http", "json", "equals"], message).hint("give one or the other"));
        }
    }
}

fn url(path: &[&str], url: &str, found: &mut Vec<Complaint>) {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let authority = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let good = authority.is_some_and(|authority| {
        let (host, port) = split(authority).unwrap_or((authority, "80"));
        !authority.contains('@') && is_host(host) && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    if !good || url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        let hint =
            "`http://` or `https://`, a host, maybe a port and a path, such as `http://127.0.0.1:8123/`";
        found.push(Complaint::new(path, format!("`{url}` is not a web address")).hint(hint));
    }
}

fn address(path: &[&str], address: &str, found: &mut Vec<Complaint>) {
    let good = split(address)
        .is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok_and(|port| port != 0));
    if !good {
        let hint = "`host:port`, such as `127.0.0.1:22` or `[::1]:22`";
        found.push(Complaint::new(path, format!("`{address}` is not an address")).hint(hint));
    }
}

fn host(path: &[&str], host: &str, found: &mut Vec<Complaint>) {
    if !is_host(host) {
        let message = format!("`{host}` is not a host");
        found.push(Complaint::new(path, message).hint("a name or an address, without a port"));
    }
}

/// Host and port; a bare IPv6 address has no port that could be told from it.
fn split(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    (!host.contains(':') || host.starts_with('[') && host.ends_with(']')).then_some((host, port))
}

fn is_host(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if bare.parse::<std::net::IpAddr>().is_ok() {
        return true;
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
    };
    // A name of a host (RFC 1123); one of digits alone would be an address, and this one is none.
    host.len() <= 253 && host.split('.').all(label) && !host.chars().all(|c| c.is_ascii_digit() || c == '.')
}

fn some(path: &[&str], text: Option<&str>, found: &mut Vec<Complaint>) {
    if text == Some("") {
        let message = format!("`{}` is empty, which everything contains", path.last().unwrap_or(&""));
        found.push(Complaint::new(path, message).hint("some text, or leave it out"));
    }
}

fn percent(path: &[&str], share: Option<u8>, found: &mut Vec<Complaint>) {
    if let Some(share) = share.filter(|share| !(1..=100).contains(share)) {
        found.push(Complaint::new(path, format!("{share} is not a share in percent")).hint("1 to 100"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::check;

    fn said(check: &str) -> Vec<String> {
        let check: Check = toml::from_str(check).unwrap();
        let words = |complaint: Complaint| format!("{}: {}", complaint.path.join("."), complaint.message);
        check.complaints().into_iter().map(words).collect()
    }

    #[test]
    fn a_check_is_of_exactly_one_kind() {
        assert_eq!(said(""), [": this check asks nothing"]);
        let both = "tcp = { address = \"localhost:22\" }\nhealth = { address = \"localhost:80\" }";
        assert_eq!(said(both), [": one check asks one question, this one asks 2: tcp, health"]);
        assert_eq!(said("tcp = { address = \"localhost:22\" }"), [""; 0]);
    }

    #[test]
    fn every_kind_has_its_word() {
        let kinds = Check::default().kinds();
        let fields = serde_json::to_value(schemars::schema_for!(Check)).unwrap();
        let fields = fields["properties"].as_object().unwrap();
        let settings = ["every", "timeout", "fails", "passes", "start-within"];
        for field in fields.keys().filter(|field| !settings.contains(&field.as_str())) {
            assert!(kinds.iter().any(|(word, _)| word == field), "`{field}` is missing");
        }
    }

    #[test]
    fn addresses_are_addresses() {
        for good in ["localhost:22", "127.0.0.1:1", "[::1]:443", "router.lan:80", "häuschen.lan:1", "a_b:1"]
        {
            assert_eq!(said(&format!("tcp = {{ address = \"{good}\" }}")), [""; 0], "{good}");
        }
        for bad in [
            "localhost",
            "::1",
            "::1:22",
            "a b:1",
            ":22",
            "host:0",
            "host:70000",
            "host:ssh",
            "1.2.3:4",
            "-:",
        ] {
            assert_eq!(said(&format!("tcp = {{ address = \"{bad}\" }}")).len(), 1, "{bad}");
        }
        for good in ["http://a", "https://a.b:8443/x?y=z#f", "http://[::1]:80/", "http://1.2.3.4"] {
            assert_eq!(said(&format!("http = {{ url = \"{good}\" }}")), [""; 0], "{good}");
        }
        for bad in ["a", "ftp://a", "http://", "http://a b/", "http://u:p@h/", "http://h:0/", "http://h:x/"] {
            assert_eq!(said(&format!("http = {{ url = \"{bad}\" }}")).len(), 1, "{bad}");
        }
    }

    #[test]
    fn what_can_never_be_true_is_refused() {
        for bad in [
            "http = { url = \"http://a\", status = [99] }",
            "http = { url = \"http://a\", body = \"\" }",
            "http = { url = \"http://a\", json = { at = \"status\" } }",
            "http = { url = \"http://a\", json = { at = \"/a\", min = 2, max = 1 } }",
            "http = { url = \"http://a\", verify = false }",
            "every = \"0s\"\ntcp = { address = \"a:1\" }",
            "fails = 0\ntcp = { address = \"a:1\" }",
            "disk = { path = \"/\", max-used = 101 }",
            "memory = {}",
            "process = {}",
            "command = { command = [] }",
            "certificate = {}",
            "dns = { name = \"a\", expect = \"here\" }",
            "container = { name = \"../x\" }",
        ] {
            assert_eq!(said(bad).len(), 1, "{bad}");
        }
    }

    #[test]
    fn the_tier_sets_the_pace_unless_the_check_does() {
        let mut check = Check { tcp: Some(check::Tcp::default()), ..Check::default() };
        assert_eq!(check.cadence(Tier::Critical), Duration::from_secs(30));
        assert_eq!(check.cadence(Tier::Ordinary), Duration::from_mins(5));
        check.every = Some(Period::secs(2));
        assert_eq!(check.cadence(Tier::Ordinary), Duration::from_secs(2));
        assert_eq!(check.patience(), Duration::from_secs(10));
    }
}
