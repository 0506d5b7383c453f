//! A file is there, fresh, and as large as it should be.

use std::io;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sanctum_kernel::inventory::check::File;

use crate::answer::{size, span};
use crate::{Answer, Eyes};

/// Clocks of file servers differ by this much.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

pub(super) async fn look(eyes: &Eyes, file: &File) -> Result<Answer, Answer> {
    let path = file.path.clone();
    let found = eyes.stuck.run(format!("file {}", path.display()), move || std::fs::metadata(path)).await?;
    let found = found.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Answer::fail(format!("`{}` is not there", file.path.display())),
        _ => Answer::of(&format!("`{}` could not be looked at", file.path.display()), &error),
    })?;
    let bytes = found.len();
    if let Some(most) = file.max_size.filter(|most| bytes > most.0) {
        return Err(Answer::fail(format!("{} large, more than {most}", size(bytes))));
    }
    if let Some(least) = file.min_size.filter(|least| bytes < least.0) {
        return Err(Answer::fail(format!("{} large, less than {least}", size(bytes))));
    }
    let changed = found.modified().ok().and_then(|at| Timestamp::try_from(at).ok());
    let Some(changed) = changed else {
        return Err(Answer::unknown("when it was changed is not known"));
    };
    let age = eyes.clock.now().duration_since(changed);
    if age < -AHEAD && file.max_age.is_some() {
        let ahead = span(age.unsigned_abs());
        return Err(Answer::drift(format!("was changed {ahead} from now: a clock is wrong")));
    }
    let age = Duration::try_from(age).unwrap_or(Duration::ZERO);
    let detail = format!("{} large, {} old", size(bytes), span(age));
    Ok(match file.max_age.filter(|most| age > most.0) {
        Some(most) => Answer::fail(format!("{detail}; older than {most}")),
        None => Answer::pass(detail),
    }
    .measured(age.as_secs_f64()))
}
