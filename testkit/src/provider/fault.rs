//! The table of everything that may go wrong at a provider; tests go through it row by row.

use std::time::Duration;

/// What a client of a perfect router could still get out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// Strange, but whole: the client must get everything.
    Whole,
    /// An error with a status of its own, before any answer.
    Refused(u16),
    /// Failed, or still silent, before anything of use came.
    Broken,
    /// Some of the answer came, and then no more.
    Cut,
}

/// When it may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    Unsaid,
    Seconds(u32),
    Millis(u32),
    /// An HTTP date.
    Date(&'static str),
}

/// What is done instead of a plain good answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Act {
    #[default]
    Good,
    /// An error in the API's shape.
    Refuse(u16, Retry),
    /// 400, and its words say that the prompt is too long.
    ContextLength,
    /// The status with a page of HTML, as a proxy in front of a provider answers.
    Html(u16),
    ResetBeforeHead,
    CloseBeforeHead,
    HalfHead,
    ResetAfterHead,
    /// After half of the answer.
    ResetMid,
    /// In the middle of a frame or a number, with a reset.
    HalfFrame,
    /// After half of the answer, by a proper end of the body.
    EndMid,
    /// Reads the request and says nothing, for as long as the client waits.
    Never,
    StallAfterHead,
    StallMid,
    SlowFirstByte(Duration),
    /// One byte a write.
    Bytewise,
    /// A write ends inside of every letter that has several bytes.
    SplitLetters,
    /// 200, JSON, and in it an error.
    ErrorBody,
    /// An error event before any content.
    ErrorFirst,
    /// An error event after half of the content.
    ErrorMid,
    /// `content-length` promises more than comes.
    LengthLong,
    /// `content-length` promises less than comes.
    LengthShort,
    GarbageStream,
    GarbageBody,
    NoUsage,
    /// No `[DONE]`, `message_stop` or `response.completed`, but the finish was said.
    NoDone,
    Empty,
    Repeats,
    Heartbeats,
    Crlf,
    ByteOrderMark,
    /// Several megabytes of text.
    Huge,
    /// Says keep-alive and closes as soon as it has answered.
    ClosesIdle,
}

/// A row.
#[derive(Debug)]
pub struct Fault {
    /// A model whose name ends in `fault-NAME` behaves so.
    pub name: &'static str,
    pub what: &'static str,
    pub act: Act,
    pub nature: Nature,
}

const fn row(name: &'static str, what: &'static str, act: Act, nature: Nature) -> Fault {
    Fault { name, what, act, nature }
}

use Nature::{Broken, Cut, Refused, Whole};

pub const FAULTS: &[Fault] = &[
    row("400", "the request is refused", Act::Refuse(400, Retry::Unsaid), Refused(400)),
    row("context", "the prompt is too long for the model", Act::ContextLength, Refused(400)),
    row("401", "the provider's key is wrong", Act::Refuse(401, Retry::Unsaid), Refused(401)),
    row("402", "the provider's money is gone", Act::Refuse(402, Retry::Unsaid), Refused(402)),
    row("403", "the provider's key may not", Act::Refuse(403, Retry::Unsaid), Refused(403)),
    row("404", "the model is unknown there", Act::Refuse(404, Retry::Unsaid), Refused(404)),
    row("413", "the body is too large there", Act::Refuse(413, Retry::Unsaid), Refused(413)),
    row("429", "too many requests", Act::Refuse(429, Retry::Unsaid), Refused(429)),
    row("429-seconds", "too many, retry after 1 s", Act::Refuse(429, Retry::Seconds(1)), Refused(429)),
    row("429-ms", "too many, retry after 700 ms", Act::Refuse(429, Retry::Millis(700)), Refused(429)),
    row(
        "429-date",
        "too many, retry after a date",
        Act::Refuse(429, Retry::Date("Fri, 31 Dec 2049 23:59:59 GMT")),
        Refused(429),
    ),
    row("429-hour", "too many, retry after an hour", Act::Refuse(429, Retry::Seconds(3600)), Refused(429)),
    row("500", "an internal error", Act::Refuse(500, Retry::Unsaid), Refused(500)),
    row("502-html", "a page of HTML from something in front", Act::Html(502), Refused(502)),
    row("503", "unavailable", Act::Refuse(503, Retry::Unsaid), Refused(503)),
    row("503-seconds", "unavailable, retry after 2 s", Act::Refuse(503, Retry::Seconds(2)), Refused(503)),
    row("529", "overloaded", Act::Refuse(529, Retry::Unsaid), Refused(529)),
    row("reset-before-head", "reset before the head", Act::ResetBeforeHead, Broken),
    row("close-before-head", "closed before the head", Act::CloseBeforeHead, Broken),
    row("half-head", "closed within the head", Act::HalfHead, Broken),
    row("reset-after-head", "reset after the head", Act::ResetAfterHead, Broken),
    row("reset-mid", "reset after half of the answer", Act::ResetMid, Cut),
    row("half-frame", "reset in the middle of a frame", Act::HalfFrame, Cut),
    row("end-mid", "a proper end after half of the answer", Act::EndMid, Cut),
    row("never", "never answers", Act::Never, Broken),
    row("stall-after-head", "silent after the head", Act::StallAfterHead, Broken),
    row("stall-mid", "silent after half of the answer", Act::StallMid, Cut),
    row("slow", "the first byte takes 400 ms", Act::SlowFirstByte(Duration::from_millis(400)), Whole),
    row("bytewise", "one byte a write", Act::Bytewise, Whole),
    row("split-letters", "writes end inside of letters", Act::SplitLetters, Whole),
    row("error-body", "200 with an error in the body", Act::ErrorBody, Broken),
    row("error-first", "an error event before any content", Act::ErrorFirst, Broken),
    row("error-mid", "an error event after half of the content", Act::ErrorMid, Cut),
    row("length-long", "content-length promises more than comes", Act::LengthLong, Cut),
    row("length-short", "content-length promises less than comes", Act::LengthShort, Cut),
    row("garbage-stream", "200 and noise for a stream", Act::GarbageStream, Broken),
    row("garbage-body", "200 and HTML for JSON", Act::GarbageBody, Broken),
    row("no-usage", "no usage", Act::NoUsage, Whole),
    row("no-done", "the finish, but no last event", Act::NoDone, Whole),
    row("empty", "an answer without content", Act::Empty, Broken),
    row("repeats", "nothing but repetition", Act::Repeats, Broken),
    row("heartbeats", "comments and pings between the frames", Act::Heartbeats, Whole),
    row("crlf", "lines end in CR LF", Act::Crlf, Whole),
    row("bom", "a byte order mark before the stream", Act::ByteOrderMark, Whole),
    row("huge", "several megabytes of text", Act::Huge, Whole),
    row("closes-idle", "closes the kept connection at once", Act::ClosesIdle, Whole),
];

/// The row of this name; panics with those there are.
pub fn fault(name: &str) -> &'static Fault {
    FAULTS.iter().find(|fault| fault.name == name).unwrap_or_else(|| {
        let names: Vec<_> = FAULTS.iter().map(|fault| fault.name).collect();
        panic!("no fault `{name}`; there are {}", names.join(", "))
    })
}
