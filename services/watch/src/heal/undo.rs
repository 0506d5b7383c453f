//! Undoing what was done, where it can be undone: never over what somebody changed since, and always read back.

use std::path::PathBuf;
use std::time::Duration;

use sanctum_kernel::Chain;
use serde::{Deserialize, Serialize};

use super::database;
use super::hands::route::Route;
use super::hands::run::Bounds;
use super::hands::{files, process};
use super::step::{Hands, run_script};

/// What would undo one step, as it is kept in the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(crate) enum Undo {
    /// What was put aside (moved, or a copy of what was changed) goes back.
    PutBack { path: PathBuf, aside: PathBuf, moved: bool },
    /// The permissions become `mode` again, if they are still `was`.
    Mode { path: PathBuf, mode: u32, was: u32 },
    /// The route goes.
    DropRoute { route: Route },
    /// The file was not there before.
    Remove { path: PathBuf },
    /// A script undoes it.
    Script { file: String, arguments: Vec<String> },
}

impl Undo {
    pub(crate) fn words(&self) -> String {
        match self {
            Self::PutBack { path, aside, .. } => {
                format!("put `{}` back from `{}`", path.display(), aside.display())
            }
            Self::Mode { path, mode, .. } => format!("set the mode of `{}` to {mode:o}", path.display()),
            Self::DropRoute { route } => format!("drop the route {}", route.words()),
            Self::Remove { path } => format!("remove `{}`", path.display()),
            Self::Script { file, arguments } => {
                format!("run the script `{file}` {}", arguments.join(" ")).trim_end().to_owned()
            }
        }
    }

    /// Does it, and reads back that it is done.
    pub(crate) async fn perform(&self, hands: &Hands) -> Result<String, String> {
        match self {
            Self::PutBack { path, aside, moved } => {
                if !aside.is_file() {
                    return Err(format!("`{}` is not there (any more)", aside.display()));
                }
                if *moved && path.symlink_metadata().is_ok() {
                    return Err(format!("there is a new `{}`: it is left alone", path.display()));
                }
                let open = process::has_open(path);
                if !open.is_empty() {
                    return Err(format!("`{}` is in use, by {open:?}: stop those first", path.display()));
                }
                // What a database has in its log belongs to the file that goes now.
                let logs = database::companions(path, aside);
                for (log, kept) in logs.iter().zip(database::companions(aside, aside)) {
                    sanctum_kernel::files::remove(log).map_err(|error| Chain(&error).to_string())?;
                    if kept.is_file() {
                        files::copy(&kept, log)?;
                    }
                }
                files::copy(aside, path)?;
                if files::fingerprint(path)? != files::fingerprint(aside)? {
                    return Err(format!("`{}` was changed again at once", path.display()));
                }
                Ok(format!("`{}` is as it was", path.display()))
            }
            Self::Mode { path, mode, was } => {
                let now = files::mode(path).map_err(files::on("look at", path))?;
                if now != *was && now != *mode {
                    return Err(format!("`{}` has another mode by now, {now:o}", path.display()));
                }
                files::set_mode(path, *mode)?;
                Ok(format!("`{}` has the mode {mode:o}", path.display()))
            }
            Self::DropRoute { route } => {
                route.set("del", hands.home()).await?;
                Ok(format!("the route {} is gone", route.words()))
            }
            Self::Remove { path } => {
                sanctum_kernel::files::remove(path).map_err(|error| Chain(&error).to_string())?;
                Ok(format!("`{}` is gone", path.display()))
            }
            Self::Script { file, arguments } => {
                let time = Duration::from_mins(1);
                run_script(hands, file, arguments, Bounds { time, ..Bounds::SMALL }).await
            }
        }
    }
}
