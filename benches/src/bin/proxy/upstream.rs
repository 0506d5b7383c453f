//! A provider that costs next to nothing: canned bytes, one write for an answer, one write for each event of a stream.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sanctum_kernel::Failure;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Pieces of text in a stream.
pub(crate) const PIECES: usize = 50;

/// What a whole answer ends with, so that a client knows that it is whole.
pub(crate) const MARK: &str = "token49";

/// The canned answers, and how far apart the events of a stream are.
#[derive(Debug)]
pub(crate) struct Upstream {
    chat: Vec<u8>,
    messages: Vec<u8>,
    chat_events: Vec<Vec<u8>>,
    messages_events: Vec<Vec<u8>>,
    models: Vec<u8>,
    /// Microseconds.
    pub(crate) pace: AtomicU64,
}

/// Listens; the caller drives [`serve`].
pub(crate) async fn bind() -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    Ok((listener, addr))
}

pub(crate) async fn serve(listener: TcpListener, upstream: Arc<Upstream>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let upstream = Arc::clone(&upstream);
                // A client that leaves is no failure of a measurement; one that gets no answer is, and it is counted there.
                open.spawn(async move { talk(stream, &upstream).await.ok() });
            }
            Some(_) = open.join_next() => {}
        }
    }
}

async fn talk(mut stream: TcpStream, upstream: &Upstream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(16_384);
    loop {
        let head = loop {
            if let Some(at) = crate::load::find(&buffer, b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        let length = length(buffer.get(..head).unwrap_or_default());
        while buffer.len() < head + length {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let messages =
            crate::load::find(buffer.get(..head.min(200)).unwrap_or_default(), b"/messages").is_some();
        let tail = buffer.get(head..head + length).unwrap_or_default();
        let streamed = asks_stream(tail);
        let get = buffer.starts_with(b"GET");
        buffer.drain(..head + length);
        if get {
            stream.write_all(&upstream.models).await?;
        } else if streamed {
            let events = if messages { &upstream.messages_events } else { &upstream.chat_events };
            for event in events {
                stream.write_all(event).await?;
                let pace = upstream.pace.load(Ordering::Relaxed);
                if pace > 0 {
                    tokio::time::sleep(Duration::from_micros(pace)).await;
                } else {
                    // Each event is a packet of its own, as at a real provider.
                    tokio::task::yield_now().await;
                }
            }
        } else {
            stream.write_all(if messages { &upstream.messages } else { &upstream.chat }).await?;
        }
    }
}

/// Gateways write `stream` first, last, or with a space.
fn asks_stream(body: &[u8]) -> bool {
    let ends = [body.get(..body.len().min(400)), body.get(body.len().saturating_sub(400)..)];
    let mut ends = ends.into_iter().flatten();
    ends.any(|end| {
        [&b"\"stream\":true"[..], b"\"stream\": true"]
            .iter()
            .any(|word| crate::load::find(end, word).is_some())
    })
}

fn length(head: &[u8]) -> usize {
    let text = String::from_utf8_lossy(head);
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let found = lines
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, value)| value.trim().parse());
    found.flatten().next().unwrap_or(0)
}

fn whole(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_1\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// The head with the first event, then the events, then the end of the body.
fn chunks(events: &[String]) -> Vec<Vec<u8>> {
    let mut chunks: Vec<Vec<u8>> =
        events.iter().map(|event| format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()).collect();
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    if let Some(first) = chunks.first_mut() {
        first.splice(0..0, head.iter().copied());
    }
    chunks.push(b"0\r\n\r\n".to_vec());
    chunks
}

impl Upstream {
    pub(crate) fn new() -> Self {
        let text = (0..PIECES).fold(String::new(), |text, i| format!("{text}token{i} "));
        let usage = r#""usage":{"prompt_tokens":90,"completion_tokens":50,"total_tokens":140,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}"#;
        let chat = format!(
            r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1764000000,"model":"mock","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],{usage},"service_tier":"default","system_fingerprint":"fp_1"}}"#
        );
        let messages = format!(
            r#"{{"id":"msg_1","type":"message","role":"assistant","model":"mock","content":[{{"type":"text","text":"{text}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":90,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":50}}}}"#
        );
        let models = r#"{"object":"list","data":[{"id":"mock","object":"model","created":1764000000,"owned_by":"mock"}]}"#;
        Self {
            chat: whole(&chat),
            messages: whole(&messages),
            chat_events: chunks(&chat_events(usage)),
            messages_events: chunks(&messages_events()),
            models: whole(models),
            pace: AtomicU64::new(0),
        }
    }
}

/// 53 events: the role, fifty pieces, the finish with its usage, the end.
fn chat_events(usage: &str) -> Vec<String> {
    let frame = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1764000000,\"model\":\"mock\",\"system_fingerprint\":\"fp_1\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let mut events = vec![frame(r#"{"role":"assistant","content":"","refusal":null}"#, "null")];
    events.extend((0..PIECES).map(|i| frame(&format!(r#"{{"content":"token{i} "}}"#), "null")));
    let last = format!(
        "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1764000000,\"model\":\"mock\",\"system_fingerprint\":\"fp_1\",\"choices\":[],{usage}}}\n\n"
    );
    events.push(format!("{}{last}", frame("{}", "\"stop\"")));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

fn messages_events() -> Vec<String> {
    let event = |name: &str, data: &str| format!("event: {name}\ndata: {data}\n\n");
    let start = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"mock","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":90,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1}}}"#;
    let block = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
    let mut events = vec![event("message_start", start), event("content_block_start", block)];
    events.extend((0..PIECES).map(|i| {
        let data = format!(
            r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"token{i} "}}}}"#
        );
        event("content_block_delta", &data)
    }));
    events.push(event("content_block_stop", r#"{"type":"content_block_stop","index":0}"#));
    let delta = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":50}}"#;
    events.push(event("message_delta", delta));
    events.push(event("message_stop", r#"{"type":"message_stop"}"#));
    events
}
