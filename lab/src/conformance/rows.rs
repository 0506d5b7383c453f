//! Every row of the provider's faults, as a client sees it.

use sanctum_testkit::provider::{Act, Fault, HELLO, Nature};

use super::check::Outcome;
use super::dialect::Pair;
use super::heard;
use super::stage::{Stage, same, shaped};
use super::wire::{Answer, Ended};

/// Rows that end only when the gateway's own patience does; a peer's may be minutes.
pub(super) fn needs_short_patience(row: &Fault) -> bool {
    matches!(row.act, Act::Never | Act::StallAfterHead | Act::StallMid)
}

pub(super) fn check(stage: &Stage, pair: &Pair, row: &Fault, stream: bool) -> Outcome {
    stage.goes_wrong(row.name);
    let text = format!("{HELLO} I read 5 characters.");
    let ask = pair.ask("hello");
    if !stream {
        let answer = stage.answer(&ask)?;
        return match row.nature {
            Nature::Whole => whole(pair, row, &answer, &text),
            Nature::Refused(status) => refused(pair, status, &answer),
            Nature::Broken | Nature::Cut => failed(pair, &answer),
        };
    }
    let streamed = match stage.streamed(&ask) {
        // Noise that was passed on is noise to every SDK, and none takes it for an answer.
        Err(_) if row.act == Act::GarbageStream => return Ok(()),
        streamed => streamed?,
    };
    // What was said word by word cannot be taken back.
    if matches!(row.act, Act::Empty | Act::Repeats) && streamed.success() {
        return Ok(());
    }
    // The reason it ended was said; the last event may be missing here as it was there.
    if row.act == Act::NoDone && !streamed.heard.finish.is_empty() && streamed.ended == Ended::Whole {
        return same("the text", &streamed.heard.text, &text);
    }
    match row.nature {
        Nature::Whole if streamed.success() => {
            let right = streamed.heard.text == text
                || matches!(row.act, Act::Huge) && streamed.heard.text.len() > 4_000_000;
            if right { Ok(()) } else { Err(format!("it said `{}`", short(&streamed.heard.text))) }
        }
        Nature::Whole => match &streamed.refused {
            Some(refused) => Err(format!("{}: {}", refused.head.status, refused.text())),
            None => Err(format!("it broke off after {} events", streamed.frames.len())),
        },
        Nature::Refused(status) => {
            let refused = streamed.refused.as_ref().ok_or("a stream instead of an error")?;
            self::refused(pair, status, refused)
        }
        Nature::Broken | Nature::Cut => match &streamed.refused {
            Some(refused) => failed(pair, refused),
            None if streamed.success() => {
                Err(format!("it looks complete: `{}`", short(&streamed.heard.text)))
            }
            None if streamed.heard.error.is_none() && streamed.ended == Ended::Whole => {
                Err("a clean end without an error event".to_owned())
            }
            None => Ok(()),
        },
    }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

fn whole(pair: &Pair, row: &Fault, answer: &Answer, text: &str) -> Outcome {
    if answer.head.status != 200 {
        return Err(format!("{}: {}", answer.head.status, answer.text()));
    }
    let heard = heard::whole(pair.client, &answer.json()?)?;
    let right = heard.text == text || matches!(row.act, Act::Huge) && heard.text.len() > 4_000_000;
    if right { Ok(()) } else { Err(format!("it said `{}`", short(&heard.text))) }
}

/// An error of the API's shape; its status kept, unless it speaks of the gateway's own credentials, which are no
/// business of the client's.
fn refused(pair: &Pair, status: u16, answer: &Answer) -> Outcome {
    shaped(pair.client, answer)?;
    let got = answer.head.status;
    let kept = match status {
        // The same in words that are not Anthropic's own.
        529 => [503, 529].contains(&got),
        401..=403 | 500.. => (500..600).contains(&got),
        _ => got == status,
    };
    if kept { Ok(()) } else { Err(format!("{status} became {got}")) }
}

/// No success, whatever it is called.
fn failed(pair: &Pair, answer: &Answer) -> Outcome {
    if answer.ended == Ended::Cut {
        return Ok(());
    }
    if answer.head.status < 400 {
        return Err(format!("{}: {}", answer.head.status, answer.text()));
    }
    shaped(pair.client, answer).map(drop)
}
