//! A client of HTTP/1.1 that shows what came over the socket and how it ended, and can leave whenever it likes.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Nothing here takes longer; a gateway that says nothing for so long has failed the check.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a request's body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length,
    /// In chunks of a thousand bytes.
    Chunked,
    /// The head first, the body after `100 Continue`.
    Expect,
}

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// As its framing said.
    Whole,
    /// The connection broke before.
    Cut,
}

#[derive(Debug)]
pub(super) struct Conn {
    stream: TcpStream,
    /// Read and not yet used.
    buffer: Vec<u8>,
    left: Left,
}

/// What is left of the body that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Bytes(usize),
    Chunks,
    ToTheEnd,
    Nothing,
}

#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
}

impl Head {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(have, _)| have.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) head: Head,
    pub(super) body: Vec<u8>,
    pub(super) ended: Ended,
}

impl Answer {
    pub(super) fn json(&self) -> Result<Value, String> {
        serde_json::from_slice(&self.body).map_err(|error| format!("{error} in `{}`", self.text()))
    }

    /// The body for a person, cut short.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(300).collect()
    }
}

fn io(error: std::io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => format!("silent for {} s", PATIENCE.as_secs()),
        _ => error.to_string(),
    }
}

impl Conn {
    pub(super) fn open(addr: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect_timeout(&addr, PATIENCE).map_err(io)?;
        stream.set_nodelay(true).map_err(io)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(io)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(io)?;
        Ok(Self { stream, buffer: Vec::new(), left: Left::Nothing })
    }

    /// Sends a request; with [`Framing::Expect`] it waits for the permission.
    pub(super) fn send(
        &mut self,
        line: &str,
        headers: &[(String, String)],
        body: &[u8],
        framing: Framing,
    ) -> Result<(), String> {
        let mut head = format!("{line} HTTP/1.1\r\nhost: 127.0.0.1\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&match framing {
            Framing::Length => format!("content-length: {}\r\n\r\n", body.len()),
            Framing::Chunked => "transfer-encoding: chunked\r\n\r\n".to_owned(),
            Framing::Expect => format!("content-length: {}\r\nexpect: 100-continue\r\n\r\n", body.len()),
        });
        self.stream.write_all(head.as_bytes()).map_err(io)?;
        match framing {
            Framing::Length => self.stream.write_all(body).map_err(io),
            Framing::Chunked => {
                for piece in body.chunks(1000) {
                    let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
                    self.stream.write_all(&chunk).map_err(io)?;
                }
                self.stream.write_all(b"0\r\n\r\n").map_err(io)
            }
            Framing::Expect => {
                let head = self.line_head()?;
                if head.status != 100 {
                    return Err(format!("{} instead of 100 Continue", head.status));
                }
                self.stream.write_all(body).map_err(io)
            }
        }
    }

    /// A head of the test's own and nothing behind it.
    pub(super) fn announce(&mut self, line: &str, headers: &[(String, String)]) -> Result<(), String> {
        let mut head = format!("{line} HTTP/1.1\r\nhost: 127.0.0.1\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        self.stream.write_all(format!("{head}\r\n").as_bytes()).map_err(io)
    }

    /// A request whose every byte is a packet.
    pub(super) fn trickle(
        &mut self,
        line: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<(), String> {
        let mut headers = headers.to_vec();
        headers.push(("content-length".to_owned(), body.len().to_string()));
        self.announce(line, &headers)?;
        body.chunks(1).try_for_each(|byte| self.stream.write_all(byte)).map_err(io)
    }

    fn more(&mut self) -> Result<usize, String> {
        let mut piece = [0; 16_384];
        let read = match self.stream.read(&mut piece) {
            // A reset is an end like any other; what it means is for the caller to say.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => 0,
            read => read.map_err(io)?,
        };
        self.buffer.extend(piece.iter().take(read));
        Ok(read)
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        self.buffer.drain(..count.min(self.buffer.len())).collect()
    }

    /// Everything up to and with `mark`; `None` when the connection ended before it.
    fn until(&mut self, mark: &[u8]) -> Result<Option<Vec<u8>>, String> {
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|window| window == mark) {
                return Ok(Some(self.take(at + mark.len())));
            }
            if self.more()? == 0 {
                return Ok(None);
            }
        }
    }

    fn line_head(&mut self) -> Result<Head, String> {
        let Some(head) = self.until(b"\r\n\r\n")? else {
            return Err("the connection was closed instead of an answer".to_owned());
        };
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        Ok(Head { status: status.ok_or("an answer without a status")?, headers })
    }

    /// The head of the answer; what follows is read by [`Self::some`].
    pub(super) fn head(&mut self, asked_head: bool) -> Result<Head, String> {
        let mut head = self.line_head()?;
        while head.status == 100 {
            head = self.line_head()?;
        }
        self.left = if asked_head || matches!(head.status, 204 | 304) {
            Left::Nothing
        } else if head.get("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            Left::Chunks
        } else {
            let length = head.get("content-length").and_then(|length| length.parse().ok());
            length.map_or(Left::ToTheEnd, Left::Bytes)
        };
        Ok(head)
    }

    /// The next piece of the body as it came; how it ended when there is none.
    pub(super) fn some(&mut self) -> Result<Result<Vec<u8>, Ended>, String> {
        match self.left {
            Left::Nothing | Left::Bytes(0) => Ok(Err(Ended::Whole)),
            Left::Bytes(left) => {
                if self.buffer.is_empty() && self.more()? == 0 {
                    return Ok(Err(Ended::Cut));
                }
                let piece = self.take(left);
                self.left = Left::Bytes(left - piece.len());
                Ok(Ok(piece))
            }
            Left::ToTheEnd => {
                if self.buffer.is_empty() && self.more()? == 0 {
                    return Ok(Err(Ended::Whole));
                }
                Ok(Ok(self.take(usize::MAX)))
            }
            Left::Chunks => {
                let Some(line) = self.until(b"\r\n")? else { return Ok(Err(Ended::Cut)) };
                let line = String::from_utf8_lossy(&line).trim().to_owned();
                let size =
                    usize::from_str_radix(&line, 16).map_err(|_| format!("`{line}` is no chunk size"))?;
                while self.buffer.len() < size + 2 {
                    if self.more()? == 0 {
                        return Ok(Err(Ended::Cut));
                    }
                }
                let piece = self.take(size);
                self.take(2);
                if size == 0 {
                    self.left = Left::Nothing;
                    return Ok(Err(Ended::Whole));
                }
                Ok(Ok(piece))
            }
        }
    }

    /// The whole answer.
    pub(super) fn answer(&mut self, asked_head: bool) -> Result<Answer, String> {
        let head = self.head(asked_head)?;
        let mut body = Vec::new();
        loop {
            match self.some()? {
                Ok(piece) => body.extend(piece),
                Err(ended) => return Ok(Answer { head, body, ended }),
            }
        }
    }
}
