//! A file system has room, and may still take another file.

use sanctum_kernel::inventory::check::Disk;

use crate::answer::size;
use crate::{Answer, Eyes};

/// Fuller than this, in percent, where nothing is said.
const FULL: u8 = 95;
/// So many percent before that it is nearly so.
const NEARLY: u8 = 5;

pub(super) async fn look(eyes: &Eyes, disk: &Disk) -> Result<Answer, Answer> {
    let path = disk.path.clone();
    let found =
        eyes.stuck.run(format!("disk {}", path.display()), move || rustix::fs::statvfs(&path)).await?;
    let found = found.map_err(|errno| {
        Answer::of(&format!("`{}` could not be looked at", disk.path.display()), &errno.into())
    })?;
    let used = u128::from(found.f_blocks.saturating_sub(found.f_bfree));
    // What is kept for root is in nobody else's reach (df(1) counts so).
    let reach = used + u128::from(found.f_bavail);
    if reach == 0 {
        return Err(Answer::unknown(format!("`{}` is on a file system without a size", disk.path.display())));
    }
    let percent = u8::try_from((used * 100).div_ceil(reach)).unwrap_or(100);
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let detail = format!("{percent} % full, {} free", size(free));
    #[expect(clippy::cast_precision_loss, reason = "a share of a disk")]
    let share = used as f64 * 100.0 / reach as f64;
    let measured = |answer: Answer| answer.measured(share);
    if found.f_files > 0 && found.f_favail == 0 {
        return Err(measured(Answer::fail(format!("{detail}, but it can hold no further file"))));
    }
    if let Some(least) = disk.min_free.filter(|least| free < least.0) {
        return Err(measured(Answer::fail(format!("{detail}; {least} should be"))));
    }
    let most = disk.max_used.or(disk.min_free.is_none().then_some(FULL));
    Ok(measured(match most {
        Some(most) if percent > most => Answer::fail(format!("{detail}; {most} % should be the most")),
        Some(most) if percent > most.saturating_sub(NEARLY) => {
            Answer::drift(format!("{detail}; {most} % is the most"))
        }
        _ if disk.min_free.is_some_and(|least| free < least.0.saturating_add(least.0 / 4)) => {
            Answer::drift(format!("{detail}; soon less than it should be"))
        }
        _ => Answer::pass(detail),
    }))
}
