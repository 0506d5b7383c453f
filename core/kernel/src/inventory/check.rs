//! What must be true of a service, as the file says it.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Period, Size};

/// One question about a service, of exactly one kind.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Check {
    /// How often it is asked; the criticality of the service decides if absent.
    pub every: Option<Period>,
    /// How long an answer may take; 10 s if absent.
    pub timeout: Option<Period>,
    /// How many answers in a row must be bad before it counts; 3 if absent. Asked again at once, all of them within a second; up to two more where answers get lost by themselves.
    pub fails: Option<u32>,
    /// How many answers in a row must be good before it counts again; 2 if absent.
    pub passes: Option<u32>,
    /// Only asked when the service has been up for this long: a start takes its time.
    pub start_within: Option<Period>,
    /// A web address answers as it should.
    pub http: Option<Http>,
    /// A TCP port takes connections.
    pub tcp: Option<Tcp>,
    /// A UDP port answers a datagram.
    pub udp: Option<Udp>,
    /// A name resolves.
    pub dns: Option<Dns>,
    /// A machine answers to ping.
    pub icmp: Option<Icmp>,
    /// A process runs.
    pub process: Option<Process>,
    /// A command ends well.
    pub command: Option<Command>,
    /// A file is there and fresh.
    pub file: Option<File>,
    /// A file system has room.
    pub disk: Option<Disk>,
    /// The machine, or a process, has memory left.
    pub memory: Option<Memory>,
    /// A container runs, and its own health check passes.
    pub container: Option<Container>,
    /// A SQLite database is whole.
    pub sqlite: Option<Sqlite>,
    /// A stream of server-sent events is alive.
    pub events: Option<Events>,
    /// A certificate is valid for long enough.
    pub certificate: Option<Certificate>,
    /// The service does its real work, exercised whole.
    pub contract: Option<Contract>,
    /// `GET /health`, as every service of this house answers it: `host:port`.
    pub health: Option<Health>,
}

/// `GET` a URL, over a new connection each time; redirects are not followed.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Http {
    /// `http://` or `https://`.
    pub url: String,
    /// Which answers are right, such as `[200, 204]`; any from 200 to 299 if empty.
    #[serde(default)]
    pub status: Vec<u16>,
    /// What the body must contain.
    #[serde(default)]
    pub body: Option<String>,
    /// What the body must not contain.
    #[serde(default)]
    pub not_body: Option<String>,
    /// A place in a JSON body (RFC 6901, such as `/status`) and what must stand there; anything but null, false and emptiness if `equals` is absent.
    #[serde(default)]
    pub json: Option<Json>,
    /// Sent as `Authorization: Bearer`.
    #[serde(default)]
    pub token: Option<crate::SecretRef>,
    /// A slower answer is drift.
    #[serde(default)]
    pub slow: Option<Period>,
    /// Less time than this left on its certificate is drift.
    #[serde(default)]
    pub min_left: Option<Period>,
    /// `false`: any certificate will do, as of a router that signs its own.
    #[serde(default)]
    pub verify: Option<bool>,
}

/// A place in a JSON document.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Json {
    /// A JSON pointer (RFC 6901), such as `/status`.
    pub at: String,
    /// What must stand there, as text.
    #[serde(default)]
    pub equals: Option<String>,
    /// The least number that may stand there.
    #[serde(default)]
    pub min: Option<f64>,
    /// The greatest number that may stand there.
    #[serde(default)]
    pub max: Option<f64>,
}

/// Connects to a TCP port.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tcp {
    /// `host:port`.
    pub address: String,
    /// What the other side must say first, such as `SSH-2.0`.
    #[serde(default)]
    pub banner: Option<String>,
}

/// Sends a datagram.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Udp {
    /// `host:port`.
    pub address: String,
    /// What is sent.
    pub send: String,
    /// What the answer must contain; any answer will do if absent.
    #[serde(default)]
    pub expect: Option<String>,
}

/// Asks a name server.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dns {
    /// The name to resolve.
    pub name: String,
    /// Which server, `host:port`; the machine's own resolver if absent.
    #[serde(default)]
    pub server: Option<String>,
    /// An address that must be among the answers.
    #[serde(default)]
    pub expect: Option<String>,
}

/// Sends an ICMP echo.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Icmp {
    /// A name or an address.
    pub host: String,
}

/// Looks for a process.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Process {
    /// The name of its program, as `ps -o comm` shows it.
    pub name: Option<String>,
    /// A file that holds its number.
    pub pid_file: Option<PathBuf>,
    /// More resident memory than this is drift.
    pub max_memory: Option<Size>,
}

/// Runs a program. It gets at most its time-out, and no shell.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Command {
    /// The program and its arguments. Ends with 0: well; 1: drift; 2 and above: failed; 3: unknown (as monitoring plug-ins do).
    pub command: Vec<String>,
    /// What it must print.
    #[serde(default)]
    pub expect: Option<String>,
}

/// Looks at a file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// Older than this is a failure.
    #[serde(default)]
    pub max_age: Option<Period>,
    /// Larger than this is a failure.
    #[serde(default)]
    pub max_size: Option<Size>,
    /// Smaller than this is a failure.
    #[serde(default)]
    pub min_size: Option<Size>,
}

/// Looks at a file system.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Disk {
    /// Any path on it.
    pub path: PathBuf,
    /// Less room than this is a failure.
    #[serde(default)]
    pub min_free: Option<Size>,
    /// Fuller than this, in percent, is a failure; 95 if neither is given.
    #[serde(default)]
    pub max_used: Option<u8>,
}

/// Looks at the machine's memory.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Memory {
    /// Less than this available is a failure.
    pub min_available: Option<Size>,
    /// Waiting for memory more than this share of the last minute, in percent, is a failure (pressure stall information; Linux).
    pub max_pressure: Option<u8>,
}

/// Asks the container engine over its socket.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Container {
    /// Its name.
    pub name: String,
    /// The engine's socket; `/var/run/docker.sock` if absent.
    #[serde(default)]
    pub socket: Option<PathBuf>,
}

/// Opens a database read-only and asks for `quick_check`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sqlite {
    /// Where it is.
    pub path: PathBuf,
}

/// Follows a stream of server-sent events.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Events {
    /// `http://` or `https://`.
    pub url: String,
    /// Something, a comment at least, must come within this, after what greets whoever connects; 30 s if absent.
    #[serde(default)]
    pub within: Option<Period>,
    /// Sent as `Authorization: Bearer`.
    #[serde(default)]
    pub token: Option<crate::SecretRef>,
}

/// Looks at a certificate: one that a server shows, or one in a file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Certificate {
    /// `host:port` of the server.
    pub address: Option<String>,
    /// A PEM file.
    pub file: Option<PathBuf>,
    /// Less time than this left is drift; none left is a failure. 14 d if absent.
    pub min_left: Option<Period>,
}

/// Exercises the real work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Contract {
    /// The router returns hosts.
    Router,
    /// The model router yields a token.
    Model,
    /// A notification makes the round trip to the banner, unheard by people.
    Notification,
}

/// Asks as the house asks its own.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Health {
    /// `host:port`.
    pub address: String,
}
