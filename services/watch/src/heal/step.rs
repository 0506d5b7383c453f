//! One step of a plan: what it does in words, what would undo it, and doing it, proved by reading back.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::SignedDuration;
use sanctum_kernel::service::Shared;
use sanctum_kernel::{Chain, Size};

use super::hands::process::{self, Process};
use super::hands::route::Route;
use super::hands::run::{Bounds, run};
use super::hands::{certificate, files, keeper, ntp, script};
use super::undo::Undo;

/// What steps need to be done.
#[derive(Debug, Clone)]
pub(crate) struct Hands {
    pub(crate) shared: Shared,
    pub(crate) restart_within: Duration,
}

impl Hands {
    pub(crate) fn home(&self) -> &Path {
        self.shared.paths.home()
    }

    pub(crate) fn scripts(&self) -> PathBuf {
        self.home().join("recipes").join("scripts")
    }
}

/// A step. Everything it needs to know was looked up when the plan was made, so that what undoes it is known before it is done.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// The supervisor restarts (or unlocks, or starts) a service.
    Renew { service: String },
    /// Processes are ended.
    End { them: Vec<Process> },
    /// A port must be free afterwards.
    PortIsFree { port: u16 },
    /// A file is moved to where it can be brought back from.
    PutAside { path: PathBuf, aside: PathBuf },
    /// Files are removed until there is room.
    Remove { oldest_first: Vec<(PathBuf, u64)>, room: u64 },
    /// Permissions are narrowed.
    Protect { path: PathBuf, mode: u32, was: u32 },
    /// Indexes are built anew.
    Reindex { database: PathBuf, aside: PathBuf },
    /// A certificate is issued again.
    Reissue { path: PathBuf, key: PathBuf, aside: PathBuf, valid: Duration },
    /// A default route is added.
    Route { route: Route },
    /// A file gets back the contents it had.
    Restore { path: PathBuf, contents: String, aside: Option<PathBuf> },
    /// A program steps the clock.
    Clock { command: Vec<String>, servers: Vec<String>, max: Duration },
    /// A socket must take connections afterwards.
    SocketAnswers { path: PathBuf, within: Duration },
    /// The program of a service must be the one whose file is there.
    ImageIsNew { service: String },
    /// A script of the owner's.
    Script {
        file: String,
        arguments: Vec<String>,
        undo: Option<String>,
        time: Duration,
        memory: Size,
        processes: u32,
    },
}

impl Step {
    /// What it would do, or does.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Renew { service } => format!("restart `{service}`"),
            Self::End { them } => {
                let shown: Vec<String> = them.iter().map(Process::shown).collect();
                format!("end {}", shown.join(", "))
            }
            Self::PortIsFree { port } => format!("see that port {port} is free"),
            Self::PutAside { path, .. } => format!("put `{}` aside", path.display()),
            Self::Remove { oldest_first, room } => {
                format!(
                    "remove the oldest of {} old logs until {} are free",
                    oldest_first.len(),
                    files::bytes(*room)
                )
            }
            Self::Protect { path, mode, was } => {
                format!("set the mode of `{}` from {was:o} to {mode:o}", path.display())
            }
            Self::Reindex { database, .. } => format!("build the indexes of `{}` anew", database.display()),
            Self::Reissue { path, .. } => format!("issue `{}` again", path.display()),
            Self::Route { route } => format!("set the route {}", route.words()),
            Self::Restore { path, .. } => format!("put `{}` back as it was", path.display()),
            Self::Clock { command, .. } => format!("step the clock by `{}`", command.join(" ")),
            Self::SocketAnswers { path, .. } => format!("see that `{}` answers", path.display()),
            Self::ImageIsNew { service } => format!("see that `{service}` runs the program that is there"),
            Self::Script { file, arguments, .. } => {
                format!("run the script `{file}` {}", arguments.join(" ")).trim_end().to_owned()
            }
        }
    }

    /// What would undo it; known before it is done.
    pub(crate) fn undo(&self) -> Option<Undo> {
        match self {
            Self::PutAside { path, aside } => {
                Some(Undo::PutBack { path: path.clone(), aside: aside.clone(), moved: true })
            }
            Self::Protect { path, mode, was } => {
                Some(Undo::Mode { path: path.clone(), mode: *was, was: *mode })
            }
            Self::Reindex { database, aside } => {
                Some(Undo::PutBack { path: database.clone(), aside: aside.clone(), moved: false })
            }
            Self::Reissue { path, aside, .. } | Self::Restore { path, aside: Some(aside), .. } => {
                Some(Undo::PutBack { path: path.clone(), aside: aside.clone(), moved: false })
            }
            Self::Restore { path, aside: None, .. } => Some(Undo::Remove { path: path.clone() }),
            Self::Route { route } => Some(Undo::DropRoute { route: route.clone() }),
            Self::Script { undo: Some(file), arguments, .. } => {
                Some(Undo::Script { file: file.clone(), arguments: arguments.clone() })
            }
            _ => None,
        }
    }

    /// Does it, and reads back that it is done; says what was seen.
    pub(crate) async fn perform(&self, hands: &Hands) -> Result<String, String> {
        match self {
            Self::Renew { service } => keeper::renew(&hands.shared, service, hands.restart_within).await,
            Self::End { them } => {
                process::end(them).await?;
                let shown: Vec<String> = them.iter().map(Process::shown).collect();
                Ok(format!("{} ended", shown.join(", ")))
            }
            Self::PortIsFree { port } => match process::listeners(*port).as_slice() {
                [] => Ok(format!("port {port} is free")),
                held => Err(format!("port {port} is still held, by {held:?}")),
            },
            Self::PutAside { path, aside } => put_aside(path, aside),
            Self::Remove { oldest_first, room } => remove(oldest_first, *room),
            Self::Protect { path, mode, .. } => {
                files::set_mode(path, *mode)?;
                Ok(format!("`{}` has the mode {mode:o}", path.display()))
            }
            Self::Reindex { database, aside } => {
                let (database, aside) = (database.clone(), aside.clone());
                let done = tokio::task::spawn_blocking(move || super::database::reindex(&database, &aside));
                done.await.map_err(|error| error.to_string())?
            }
            Self::Reissue { path, key, aside, valid } => reissue(hands, path, key, aside, *valid),
            Self::Route { route } => {
                route.set("add", hands.home()).await?;
                Ok(format!("the route {} is there", route.words()))
            }
            Self::Restore { path, contents, aside } => restore(path, contents, aside.as_deref()),
            Self::Clock { command, servers, max } => step_clock(hands, command, servers, *max).await,
            Self::SocketAnswers { path, within } => socket_answers(path, *within).await,
            Self::ImageIsNew { service } => {
                let state = keeper::service(&hands.shared, service).await?;
                match state.pid.and_then(process::image_replaced) {
                    None => Ok(format!("`{service}` runs the program that is there")),
                    Some(path) => Err(format!("`{service}` still runs another program than `{path}`")),
                }
            }
            Self::Script { file, arguments, time, memory, processes, .. } => {
                let bounds =
                    Bounds { time: *time, output: 64 * 1024, memory: memory.0, processes: *processes };
                run_script(hands, file, arguments, bounds).await
            }
        }
    }
}

/// Runs a script of the owner's, after another look at whether it may be run.
pub(crate) async fn run_script(
    hands: &Hands,
    file: &str,
    arguments: &[String],
    bounds: Bounds,
) -> Result<String, String> {
    let path = script::allowed(&hands.scripts(), file)?;
    let arguments: Vec<OsString> = arguments.iter().map(Into::into).collect();
    let ran = run(&path, &arguments, hands.home(), bounds).await;
    let ran = ran.map_err(|error| format!("`{file}`: {}", Chain(&error)))?;
    match ran.code {
        Some(0) => {
            Ok(format!("`{file}` ended well: {}", ran.words()).trim_end_matches([':', ' ']).to_owned())
        }
        Some(code) => Err(format!("`{file}` ended with {code}: {}", ran.words())),
        None => Err(format!("`{file}` was ended by a signal: {}", ran.words())),
    }
}

fn put_aside(path: &Path, aside: &Path) -> Result<String, String> {
    files::keep_aside(path, aside)?;
    sanctum_kernel::files::remove(path).map_err(|error| Chain(&error).to_string())?;
    if path.symlink_metadata().is_ok() {
        return Err(format!("`{}` is there again", path.display()));
    }
    Ok(format!("`{}` is put aside", path.display()))
}

fn remove(oldest_first: &[(PathBuf, u64)], room: u64) -> Result<String, String> {
    let mut removed = 0_usize;
    let mut freed = 0;
    for (path, size) in oldest_first {
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        if files::room(folder)?.0 >= room {
            break;
        }
        sanctum_kernel::files::remove(path).map_err(|error| Chain(&error).to_string())?;
        removed += 1;
        freed += size;
    }
    let Some(folder) = oldest_first.first().and_then(|(path, _)| path.parent()) else {
        return Err("there is nothing to remove".to_owned());
    };
    let free = files::room(folder)?.0;
    let what =
        format!("{removed} old logs ({}) removed; {} are free", files::bytes(freed), files::bytes(free));
    if free >= room {
        Ok(what)
    } else {
        Err(format!("{what}, not the {} that there should be: a person must make room", files::bytes(room)))
    }
}

fn reissue(hands: &Hands, path: &Path, key: &Path, aside: &Path, valid: Duration) -> Result<String, String> {
    let unusable = || format!("`{}` and `{}` do not belong together any more", path.display(), key.display());
    let text = sanctum_kernel::files::read(path).map_err(|error| Chain(&error).to_string())?;
    let old = certificate::only(&text).ok_or_else(unusable)?;
    let old = certificate::Certificate::read(&old).ok_or_else(unusable)?;
    let keys = sanctum_kernel::files::read(key).map_err(|error| Chain(&error).to_string())?;
    let secret = certificate::private(&keys).ok_or_else(unusable)?;
    let new = old.again(&secret, hands.shared.clock.now(), valid).ok_or_else(unusable)?;
    files::keep_aside(path, aside)?;
    // What else is in the file, such as the key, stays.
    let made = super::hands::der::make_pem("CERTIFICATE", &new);
    let contents = replace_block(&text, &made).ok_or_else(unusable)?;
    let mode = files::mode(path).map_err(files::on("look at", path))?;
    sanctum_kernel::files::replace(path, contents.as_bytes(), mode & 0o777)
        .map_err(|error| Chain(&error).to_string())?;
    let back = sanctum_kernel::files::read(path).map_err(|error| Chain(&error).to_string())?;
    let back = certificate::only(&back).ok_or_else(unusable)?;
    let back = certificate::Certificate::read(&back).ok_or_else(unusable)?;
    if back.is_self_signed() && back.is_like(&old) && back.ends > hands.shared.clock.now() {
        Ok(format!("`{}` is valid until {}", path.display(), back.ends))
    } else {
        Err(format!("`{}` is not what was issued", path.display()))
    }
}

fn replace_block(text: &str, made: &str) -> Option<String> {
    let (before, rest) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let (_, after) = rest.split_once("-----END CERTIFICATE-----")?;
    Some(format!("{before}{made}{}", after.trim_start_matches(['\r', '\n'])))
}

fn restore(path: &Path, contents: &str, aside: Option<&Path>) -> Result<String, String> {
    if let Some(aside) = aside {
        files::keep_aside(path, aside)?;
    }
    sanctum_kernel::files::replace(path, contents.as_bytes(), 0o644)
        .map_err(|error| Chain(&error).to_string())?;
    let back = sanctum_kernel::files::read(path).map_err(|error| Chain(&error).to_string())?;
    if back == contents {
        Ok(format!("`{}` is as it was", path.display()))
    } else {
        Err(format!("`{}` was changed again at once", path.display()))
    }
}

async fn step_clock(
    hands: &Hands,
    command: &[String],
    servers: &[String],
    max: Duration,
) -> Result<String, String> {
    let [program, arguments @ ..] = command else { return Err("no command is configured".to_owned()) };
    let arguments: Vec<OsString> = arguments.iter().map(Into::into).collect();
    // A program without a path is one of the system's; a script of the owner's is one of `recipes/scripts`.
    let path = if hands.scripts().join(program).exists() {
        script::allowed(&hands.scripts(), program)?
    } else {
        PathBuf::from(program)
    };
    let ran = run(&path, &arguments, hands.home(), Bounds::SMALL).await;
    let ran = ran.map_err(|error| Chain(&error).to_string())?;
    let off = ntp::offset(&hands.shared.clock, servers).await?;
    if off.abs() <= SignedDuration::try_from(max).unwrap_or(SignedDuration::MAX) {
        Ok(format!("the clock is off by {:.3} s now", off.as_secs_f64()))
    } else {
        let said = ran.words();
        Err(format!("the clock is still off by {:.3} s; `{program}` said: {said}", off.as_secs_f64()))
    }
}

async fn socket_answers(path: &Path, within: Duration) -> Result<String, String> {
    let until = tokio::time::Instant::now() + within;
    let mut last = String::new();
    while tokio::time::Instant::now() < until {
        match super::engine_socket::ping(path).await {
            Ok(()) => return Ok(format!("`{}` answers", path.display())),
            Err(error) => last = error,
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(format!("`{}` does not answer: {last}", path.display()))
}
