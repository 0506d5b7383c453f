//! What holds for every dialect of the table.

use sanctum_llm::{Answer, Codec, Event, Request};

/// The neutral form as text, to compare it: JSON kept raw has no equality of its own.
pub(crate) fn form(what: &impl std::fmt::Debug) -> String {
    format!("{what:#?}")
}

/// A request is read, written, and read again as the same.
pub(crate) fn request_stays(codec: &dyn Codec, body: &str) -> Request {
    let request = codec.read_request(body.as_bytes()).unwrap();
    let written = codec.write_request(&request);
    assert_eq!(written.losses, [], "{body}");
    let again = codec.read_request(&written.body).unwrap();
    assert_eq!(form(&request), form(&again), "{}", String::from_utf8_lossy(&written.body));
    request
}

pub(crate) fn answer_stays(codec: &dyn Codec, body: &str) -> Answer {
    let answer = codec.read_answer(body.as_bytes()).unwrap();
    let asked = codec
        .read_request(br#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}]}"#)
        .unwrap();
    let written = codec.write_answer(&answer, &asked);
    assert_eq!(written.losses, [], "{body}");
    let again = codec.read_answer(&written.body).unwrap();
    assert_eq!(form(&answer), form(&again), "{}", String::from_utf8_lossy(&written.body));
    answer
}

pub(crate) fn events(codec: &dyn Codec, bytes: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut decoder = codec.decoder();
    decoder.push(bytes, &mut events);
    decoder.finish(&mut events);
    events
}

pub(crate) fn encode(codec: &dyn Codec, asked: &Request, events: &[Event]) -> String {
    let mut bytes = Vec::new();
    let mut encoder = codec.encoder(asked);
    for event in events {
        encoder.event(event, &mut bytes);
    }
    String::from_utf8(bytes).unwrap()
}

/// One line for each event, for people.
pub(crate) fn told(events: &[Event]) -> String {
    events.iter().fold(String::new(), |told, event| format!("{told}{event:?}\n"))
}
