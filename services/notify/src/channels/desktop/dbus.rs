//! As much of D-Bus as a notification needs (D-Bus Specification 0.43): EXTERNAL login, method calls, signals.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// What went wrong on the bus.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BusError {
    #[error("`{0}` is not an address of a bus on this machine")]
    Address(String),
    #[error("could not talk to the bus")]
    Io(#[from] std::io::Error),
    #[error("the bus refused the login: {0}")]
    Login(String),
    #[error("{0}: {1}")]
    Answer(String, String),
    #[error("the bus sent something that cannot be read")]
    Garbled,
    #[error("the bus did not answer in time")]
    Slow,
}

/// A message larger than this is not for us (the specification allows 128 MiB).
const LARGEST: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(5);
const CALL: u8 = 1;
const RETURN: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;

/// Values in little-endian wire format.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    pub(crate) fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.align(4);
        self.0.extend(value.to_le_bytes());
    }

    /// A string or an object path; NUL ends a string on this wire, so it is left out of texts.
    pub(crate) fn string(&mut self, text: &str) {
        let text = text.replace('\0', "");
        self.u32(u32::try_from(text.len()).unwrap_or(0));
        self.0.extend(text.bytes());
        self.0.push(0);
    }

    pub(crate) fn signature(&mut self, text: &str) {
        self.0.push(u8::try_from(text.len()).unwrap_or(0));
        self.0.extend(text.bytes());
        self.0.push(0);
    }

    /// An array whose elements are aligned to `to`; the padding before the first does not count.
    pub(crate) fn array(&mut self, to: usize, fill: impl FnOnce(&mut Self)) {
        self.u32(0);
        let length_at = self.0.len() - 4;
        self.align(to);
        let from = self.0.len();
        fill(self);
        let length = u32::try_from(self.0.len() - from).unwrap_or(0).to_le_bytes();
        if let Some(place) = self.0.get_mut(length_at..length_at + 4) {
            place.copy_from_slice(&length);
        }
    }
}

/// Values out of a body, in the byte order of their sender.
#[derive(Debug)]
pub(crate) struct Reader {
    bytes: Vec<u8>,
    at: usize,
    big: bool,
}

impl Reader {
    fn take(&mut self, count: usize) -> Result<&[u8], BusError> {
        let from = self.at;
        self.at = from.checked_add(count).ok_or(BusError::Garbled)?;
        self.bytes.get(from..self.at).ok_or(BusError::Garbled)
    }

    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn byte(&mut self) -> Result<u8, BusError> {
        self.take(1)?.first().copied().ok_or(BusError::Garbled)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, BusError> {
        self.align(4);
        let big = self.big;
        let bytes: [u8; 4] = self.take(4)?.try_into().map_err(|_| BusError::Garbled)?;
        Ok(if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    pub(crate) fn string(&mut self) -> Result<String, BusError> {
        let length = self.u32()? as usize;
        let text = String::from_utf8(self.take(length)?.to_vec()).map_err(|_| BusError::Garbled)?;
        self.take(1)?;
        Ok(text)
    }

    fn signature(&mut self) -> Result<String, BusError> {
        let length = usize::from(self.byte()?);
        let text = String::from_utf8(self.take(length)?.to_vec()).map_err(|_| BusError::Garbled)?;
        self.take(1)?;
        Ok(text)
    }
}

/// One message from the bus.
struct Incoming {
    kind: u8,
    reply_to: Option<u32>,
    /// The member of a signal, or the name of an error.
    name: String,
    body: Reader,
}

/// A connection to the session bus.
#[derive(Debug)]
pub(crate) struct Bus {
    stream: BufReader<UnixStream>,
    serial: u32,
}

impl Bus {
    pub(crate) async fn connect(address: &str) -> Result<Self, BusError> {
        match tokio::time::timeout(PATIENCE, Self::open(address)).await {
            Ok(bus) => bus,
            Err(_) => Err(BusError::Slow),
        }
    }

    async fn open(address: &str) -> Result<Self, BusError> {
        let mut bus = Self { stream: BufReader::new(socket(address).await?), serial: 0 };
        let uid = rustix::process::getuid().as_raw().to_string();
        let uid = sanctum_kernel::trace::hex(uid.as_bytes());
        bus.stream.write_all(format!("\0AUTH EXTERNAL {uid}\r\n").as_bytes()).await?;
        let mut line = String::new();
        bus.stream.read_line(&mut line).await?;
        if !line.starts_with("OK ") {
            return Err(BusError::Login(line.trim().to_owned()));
        }
        bus.stream.write_all(b"BEGIN\r\n").await?;
        let dbus = "org.freedesktop.DBus";
        bus.call(dbus, "/org/freedesktop/DBus", dbus, "Hello", ("", Writer::default())).await?;
        Ok(bus)
    }

    /// Calls a method and returns the body of its answer.
    pub(crate) async fn call(
        &mut self,
        to: &str,
        path: &str,
        interface: &str,
        member: &str,
        (signature, body): (&str, Writer),
    ) -> Result<Reader, BusError> {
        self.serial += 1;
        let serial = self.serial;
        let mut head = Writer::default();
        head.0.extend([b'l', CALL, 0, 1]);
        head.u32(u32::try_from(body.0.len()).unwrap_or(0));
        head.u32(serial);
        head.array(8, |fields| {
            for (code, kind, text) in [(1, "o", path), (2, "s", interface), (3, "s", member), (6, "s", to)] {
                fields.align(8);
                fields.byte(code);
                fields.signature(kind);
                fields.string(text);
            }
            if !signature.is_empty() {
                fields.align(8);
                fields.byte(8);
                fields.signature("g");
                fields.signature(signature);
            }
        });
        head.align(8);
        head.0.extend(body.0);
        self.stream.write_all(&head.0).await?;
        let answer = async {
            loop {
                let mut message = self.read().await?;
                match (message.kind, message.reply_to == Some(serial)) {
                    (RETURN, true) => return Ok(message.body),
                    (ERROR, true) => return Err(BusError::Answer(message.name, message.body.string().unwrap_or_default())),
                    _ => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, answer).await.unwrap_or(Err(BusError::Slow))
    }

    /// The body of the next signal of this name.
    pub(crate) async fn signal(&mut self, name: &str) -> Result<Reader, BusError> {
        loop {
            let message = self.read().await?;
            if message.kind == SIGNAL && message.name == name {
                return Ok(message.body);
            }
        }
    }

    async fn read(&mut self) -> Result<Incoming, BusError> {
        let mut start = vec![0; 16];
        self.stream.read_exact(&mut start).await?;
        let big = start.first() == Some(&b'B');
        let kind = start.get(1).copied().unwrap_or_default();
        let mut head = Reader { bytes: start, at: 4, big };
        let (body, _serial, fields) = (head.u32()? as usize, head.u32()?, head.u32()? as usize);
        let rest = fields.next_multiple_of(8);
        if body > LARGEST || rest > LARGEST {
            return Err(BusError::Garbled);
        }
        // The fields begin at 16, a multiple of 8: their alignment can be counted from their own beginning.
        let mut bytes = vec![0; rest];
        self.stream.read_exact(&mut bytes).await?;
        let mut head = Reader { bytes, at: 0, big };
        let (mut reply_to, mut name) = (None, String::new());
        while head.at < fields {
            head.align(8);
            let code = head.byte()?;
            match head.signature()?.as_str() {
                "u" => {
                    let value = head.u32()?;
                    reply_to = if code == 5 { Some(value) } else { reply_to };
                }
                "s" | "o" => {
                    let value = head.string()?;
                    // 3 is the member, 4 the name of an error.
                    name = if code == 3 || code == 4 { value } else { name };
                }
                "g" => drop(head.signature()?),
                _ => return Err(BusError::Garbled),
            }
        }
        let mut bytes = vec![0; body];
        self.stream.read_exact(&mut bytes).await?;
        Ok(Incoming { kind, reply_to, name, body: Reader { bytes, at: 0, big } })
    }
}

/// Connects to the first address that can be used: `unix:path=…` or `unix:abstract=…`.
async fn socket(address: &str) -> Result<UnixStream, BusError> {
    for one in address.split(';') {
        let Some(pairs) = one.strip_prefix("unix:") else { continue };
        for (key, value) in pairs.split(',').filter_map(|pair| pair.split_once('=')) {
            match key {
                "path" => return Ok(UnixStream::connect(value).await?),
                #[cfg(target_os = "linux")]
                "abstract" => {
                    use std::os::linux::net::SocketAddrExt;
                    let addr = std::os::unix::net::SocketAddr::from_abstract_name(value)?;
                    let stream = std::os::unix::net::UnixStream::connect_addr(&addr)?;
                    stream.set_nonblocking(true)?;
                    return Ok(UnixStream::from_std(stream)?);
                }
                _ => {}
            }
        }
    }
    Err(BusError::Address(address.to_owned()))
}
