//! One HTTP/1.1 exchange (RFC 9112) over any stream, which ends with it.
//!
//! A look is what a stranger would get: a new connection each time, because one that was kept says nothing about the door.
//! The same few lines serve TCP, TLS and the sockets of container engines, and cost less than a client with a pool.

use std::io;

use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::line::Line;
use crate::{Answer, Stage};

/// No more of a body is read.
const LARGEST: usize = 1 << 20;
/// No longer head is read.
const LARGEST_HEAD: usize = 32 * 1024;
/// Most heads, and the bodies of health checks, come in one piece of this.
const PIECE: usize = 2 * 1024;
const HEADERS: usize = 64;

/// What is asked.
#[derive(Debug, Default)]
pub(crate) struct Question<'a> {
    /// Path and query.
    pub(crate) path: &'a str,
    /// The `Host` header.
    pub(crate) host: &'a str,
    pub(crate) accept: Option<&'a str>,
    pub(crate) token: Option<SecretString>,
}

/// The head of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) content_type: Option<String>,
    length: Length,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Known(usize),
    Chunked,
    UntilClose,
}

/// A whole answer, or its first megabyte.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
    /// Whether there is no more of it.
    pub(crate) whole: bool,
}

/// Asks over a connection that is nobody's yet, and reads the whole answer.
pub(crate) async fn ask(line: Line, question: &Question<'_>, stage: &Stage) -> Result<Received, Answer> {
    stage.connected();
    let text = written(question);
    let unsaid = |error: io::Error| Answer::of("it hung up on the question", &error);
    let said = line.say(&text).map_err(unsaid)?;
    let mut stream = line.stream().map_err(unsaid)?;
    if let Some(rest) = text.get(said..).filter(|rest| !rest.is_empty()) {
        stream.write_all(rest).await.map_err(unsaid)?;
    }
    let (head, rest) = head(&mut stream, stage).await?;
    whole(&mut stream, head, rest).await
}

/// Asks and reads the whole answer, however it is delimited.
pub(crate) async fn get<S>(stream: &mut S, question: &Question<'_>, stage: &Stage) -> Result<Received, Answer>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (head, rest) = open(stream, question, stage).await?;
    whole(stream, head, rest).await
}

async fn whole<S>(stream: &mut S, head: Head, rest: Vec<u8>) -> Result<Received, Answer>
where
    S: AsyncRead + Unpin,
{
    let read = match head.length {
        Length::Known(0) => Ok((Vec::new(), true)),
        Length::Known(length) => exactly(stream, rest, length).await,
        Length::Chunked => chunks(stream, rest).await,
        Length::UntilClose => until_close(stream, rest).await,
    };
    let (body, whole) = read.map_err(|error| Answer::of("its answer broke off", &error))?;
    Ok(Received { head, body, whole })
}

/// Asks and returns with the head of the answer and whatever of the body came with it.
pub(crate) async fn open<S>(
    stream: &mut S,
    question: &Question<'_>,
    stage: &Stage,
) -> Result<(Head, Vec<u8>), Answer>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stage.connected();
    let sent = stream.write_all(&written(question)).await;
    sent.map_err(|error| Answer::of("it hung up on the question", &error))?;
    head(stream, stage).await
}

/// The head of the answer, and whatever of the body came with it.
async fn head<S>(stream: &mut S, stage: &Stage) -> Result<(Head, Vec<u8>), Answer>
where
    S: AsyncRead + Unpin,
{
    let mut got = Vec::with_capacity(PIECE);
    loop {
        let count = stream.read_buf(&mut got).await;
        let count = count.map_err(|error| Answer::of("it hung up before it answered", &error))?;
        if count == 0 {
            let seen = if got.is_empty() {
                "it hung up without an answer"
            } else {
                "its answer broke off in the head"
            };
            return Err(Answer::fail(seen));
        }
        stage.answering();
        while let Some((head, end)) = parse(&got)? {
            got.drain(..end);
            // An interim answer (RFC 9110, section 15.2): the real one follows.
            if head.status >= 200 {
                return Ok((head, got));
            }
        }
        if got.len() > LARGEST_HEAD {
            return Err(Answer::fail(format!(
                "the head of its answer is longer than {} KiB",
                LARGEST_HEAD / 1024
            )));
        }
    }
}

fn written(question: &Question<'_>) -> Vec<u8> {
    let mut text = Vec::with_capacity(256);
    for part in ["GET ", question.path, " HTTP/1.1\r\nHost: ", question.host] {
        text.extend_from_slice(part.as_bytes());
    }
    text.extend_from_slice(b"\r\nUser-Agent: sanctum-watch\r\nConnection: close\r\nAccept: ");
    text.extend_from_slice(question.accept.unwrap_or("*/*").as_bytes());
    if let Some(token) = &question.token {
        text.extend_from_slice(b"\r\nAuthorization: Bearer ");
        text.extend_from_slice(token.expose_secret().as_bytes());
    }
    text.extend_from_slice(b"\r\n\r\n");
    text
}

fn parse(got: &[u8]) -> Result<Option<(Head, usize)>, Answer> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let end = match answer.parse(got) {
        Ok(httparse::Status::Complete(end)) => end,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => {
            let said = crate::answer::excerpt(got);
            return Err(Answer::fail(format!("it does not speak HTTP ({error}): `{said}`")));
        }
    };
    let status = answer.code.unwrap_or(0);
    let mut head = Head { status, location: None, content_type: None, length: Length::UntilClose };
    let text = |value: &[u8]| String::from_utf8_lossy(value).trim().to_owned();
    for header in answer.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            // Chunks win over a length (RFC 9112, section 6.3).
            if head.length != Length::Chunked {
                let length = text(header.value).parse();
                head.length =
                    Length::Known(length.map_err(|_| Answer::fail("the length of its answer is no number"))?);
            }
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            head.length = Length::Chunked;
        } else if header.name.eq_ignore_ascii_case("location") {
            head.location = Some(text(header.value));
        } else if header.name.eq_ignore_ascii_case("content-type") {
            head.content_type = Some(text(header.value));
        }
    }
    if matches!(status, 100..=199 | 204 | 304) {
        head.length = Length::Known(0);
    }
    Ok(Some((head, end)))
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed in the middle of it")
}

/// Reads at least one byte more.
async fn more<S: AsyncRead + Unpin>(stream: &mut S, got: &mut Vec<u8>) -> io::Result<()> {
    if stream.read_buf(got).await? == 0 { Err(broken()) } else { Ok(()) }
}

async fn exactly<S: AsyncRead + Unpin>(
    stream: &mut S,
    mut got: Vec<u8>,
    length: usize,
) -> io::Result<(Vec<u8>, bool)> {
    let wanted = length.min(LARGEST);
    got.reserve(wanted.saturating_sub(got.len()));
    while got.len() < wanted {
        more(stream, &mut got).await?;
    }
    got.truncate(wanted);
    Ok((got, wanted == length))
}

async fn until_close<S: AsyncRead + Unpin>(stream: &mut S, mut got: Vec<u8>) -> io::Result<(Vec<u8>, bool)> {
    while got.len() < LARGEST {
        match stream.read_buf(&mut got).await {
            Ok(0) => return Ok((got, true)),
            Ok(_) => {}
            // Many servers close without TLS's goodbye; whether something is missing cannot be told then.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok((got, true)),
            Err(error) => return Err(error),
        }
    }
    Ok((got, false))
}

async fn chunks<S: AsyncRead + Unpin>(stream: &mut S, mut got: Vec<u8>) -> io::Result<(Vec<u8>, bool)> {
    let garbled = || io::Error::new(io::ErrorKind::InvalidData, "a chunk of it has no size");
    let mut body = Vec::new();
    loop {
        let (start, size) = match httparse::parse_chunk_size(&got).map_err(|_| garbled())? {
            httparse::Status::Complete((start, size)) => (start, usize::try_from(size).unwrap_or(usize::MAX)),
            httparse::Status::Partial if got.len() > LARGEST_HEAD => return Err(garbled()),
            httparse::Status::Partial => {
                more(stream, &mut got).await?;
                continue;
            }
        };
        if size == 0 {
            return Ok((body, true));
        }
        // Never more than what may still be kept, whatever the other side announces.
        let wanted = size.min(LARGEST - body.len());
        while got.len() < start + wanted {
            more(stream, &mut got).await?;
        }
        body.extend_from_slice(got.get(start..start + wanted).unwrap_or_default());
        if wanted < size || body.len() >= LARGEST {
            return Ok((body, false));
        }
        while got.len() < start + size + 2 {
            more(stream, &mut got).await?;
        }
        if got.get(start + size..start + size + 2) != Some(b"\r\n") {
            return Err(garbled());
        }
        got.drain(..start + size + 2);
    }
}
