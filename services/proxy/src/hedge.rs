//! An attempt, and a second one beside it when the first takes long: who begins to answer first, answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::attempt::{Answered, Call, Failed, Trail, attempt};
use crate::reach::{Letter, Reach, Seat};
use crate::recast::Wish;

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) answered: Result<Answered, Failed>,
    pub(crate) trail: Trail,
    /// The second is who answered, or failed last.
    pub(crate) second: bool,
    /// When the other was asked who was not waited for.
    pub(crate) late: Option<Instant>,
}

/// Asks `first`; after `wait` also `second`.
pub(crate) async fn race<R: Reach>(
    call: &Call<'_>,
    letter: &Letter<R>,
    first: &Seat<R>,
    second: &Seat<R>,
    wait: Duration,
) -> Outcome {
    let (mut trail, mut other) = (Trail::default(), Trail::default());
    let begun = Instant::now();
    let one = plain(call, letter, first, &mut trail);
    let mut one = Box::pin(one);
    if let Ok(answered) = tokio::time::timeout(wait, &mut one).await {
        drop(one);
        return Outcome { answered, trail, second: false, late: None };
    }
    let later = Instant::now();
    let mut two = Box::pin(plain(call, letter, second, &mut other));
    let (second_won, answered) = tokio::select! {
        biased;
        answered = &mut one => match answered {
            Ok(answered) => (false, Ok(answered)),
            Err(_) => (true, two.as_mut().await),
        },
        answered = &mut two => match answered {
            Ok(answered) => (true, Ok(answered)),
            Err(_) => (false, one.as_mut().await),
        },
    };
    drop(one);
    drop(two);
    if second_won {
        Outcome { answered, trail: other, second: true, late: Some(begun) }
    } else {
        Outcome { answered, trail, second: false, late: Some(later) }
    }
}

/// An attempt; once more without signed reasoning, if that is what it refuses.
async fn plain<R: Reach>(
    call: &Call<'_>,
    letter: &Letter<R>,
    seat: &Seat<R>,
    trail: &mut Trail,
) -> Result<Answered, Failed> {
    match turn(call, letter, seat, trail).await {
        Err(failed) if failed.signature => {
            *trail = Trail::default();
            let wary = Call { wish: Wish { wary: true, ..call.wish }, ..*call };
            turn(&wary, letter, seat, trail).await
        }
        answered => answered,
    }
}

/// An attempt, when it is this request's turn at a provider that takes only so many at once.
pub(crate) async fn turn<R: Reach>(
    call: &Call<'_>,
    letter: &Letter<R>,
    seat: &Seat<R>,
    trail: &mut Trail,
) -> Result<Answered, Failed> {
    let place = match &seat.provider().turns {
        Some(turns) => Arc::clone(turns).acquire_owned().await.ok(),
        None => None,
    };
    let mut answered = attempt(call, letter, seat, trail).await;
    // A stream has its turn until its last byte.
    if let Ok(Answered::Stream(begun)) = &mut answered {
        begun.turn = place;
    }
    answered
}
