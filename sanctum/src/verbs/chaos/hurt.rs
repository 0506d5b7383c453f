//! Doing harm, and lifting it.

use std::fs;

use rustix::process::Signal;
use sanctum_kernel::{Failure, files};

use super::child::SOUND;
use super::house::{House, signal};
use super::plan::{How, Hurt, Plan};

/// Does it; the process it was done to.
pub(super) async fn hurt(house: &House, plan: &Plan, hurt: &Hurt) -> Result<Option<u32>, Failure> {
    let name = plan.name(hurt.whom);
    let (pid, place) = (house.pid(name).await, house.place(name));
    let mode = |word: &str| files::replace(&place.join("mode"), word.as_bytes(), 0o600);
    match (hurt.how, pid) {
        (How::Kill, Some(pid)) => signal(pid, Signal::KILL),
        (How::Stop, Some(pid)) => signal(pid, Signal::STOP),
        (How::Kill | How::Stop, None) => {}
        (How::Slow, _) => mode("until-restart slow")?,
        (How::Lie, _) => mode("until-restart lie")?,
        (How::Fail, _) => mode("until-restart fail")?,
        (How::Partition, _) => mode("partition")?,
        (How::Skew, _) => mode("skew")?,
        (How::Fill, _) => {
            fs::remove_file(place.join("journal")).ok();
            // Every write to it finds no room (full(4)).
            std::os::unix::fs::symlink("/dev/full", place.join("journal"))?;
        }
        (How::Corrupt, pid) => {
            files::replace(&place.join("state"), b"\0garbage", 0o600)?;
            if let Some(pid) = pid {
                signal(pid, Signal::KILL);
            }
        }
    }
    Ok(pid)
}

/// What a person would do about what lasts.
pub(super) async fn lift(house: &House, plan: &Plan, hurt: &Hurt) -> Result<(), Failure> {
    let name = plan.name(hurt.whom);
    let place = house.place(name);
    match hurt.how {
        How::Partition | How::Skew => fs::remove_file(place.join("mode"))?,
        How::Fill => fs::remove_file(place.join("journal"))?,
        How::Corrupt => {
            files::replace(&place.join("state"), SOUND.as_bytes(), 0o600)?;
            let supervise = house.supervise()?;
            supervise.act(name, "unlock").await.ok();
            supervise.act(name, "start").await.ok();
        }
        How::Kill | How::Stop | How::Slow | How::Lie | How::Fail => {}
    }
    Ok(())
}
