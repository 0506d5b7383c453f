//! What a process is born with: its words, its environment, and what it may use.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use rustix::process::{Resource, Rlimit};
use sanctum_kernel::inventory::Limits;
use sanctum_kernel::{Chain, hint};
use secrecy::ExposeSecret;

use super::Cradle;
use super::who::{self, Who};
use crate::engine::Exit;
use crate::{Plan, pipe, plan};

/// What is set between the fork and the program.
#[derive(Debug, Default)]
struct Prelude {
    limits: Vec<(Resource, u64)>,
    nice: Option<i32>,
    oom_score: Option<String>,
    who: Option<Who>,
}

/// Whether nothing has to be looked up first and the program can be started the short way (posix_spawn(3)), which does not
/// copy this process: one of that kind is there sooner than another thread is woken for it, several are not.
pub(super) fn is_quick(plan: &Plan) -> bool {
    plan.port.is_none()
        && plan.secrets.is_empty()
        && plan.user.is_none()
        && plan.group.is_none()
        && !has_prelude(plan)
}

fn has_prelude(plan: &Plan) -> bool {
    plan.nice.is_some() || plan.oom_score.is_some() || plan.limits != Limits::default()
}

/// Starts a process of a plan. Copies of its pipe are closed when this returns, so that the end of the output can be awaited.
pub(super) fn give(plan: &Plan, cradle: &Cradle, ear: Option<OsString>) -> Result<Child, Exit> {
    let mut command = command(plan, cradle, ear)?;
    command
        .spawn()
        .map_err(|error| Exit::NotStarted(format!("could not start `{}`: {error}", plan.command.display())))
}

/// The command of a plan. What a person must change first is [`Exit::Refused`].
fn command(plan: &Plan, cradle: &Cradle, ear: Option<OsString>) -> Result<Command, Exit> {
    if let Some(holder) = plan.port.and_then(sanctum_kernel::process::listener) {
        let port = plan.port.unwrap_or_default();
        return Err(Exit::NotStarted(format!("port {port} is held by {holder}")));
    }
    let failed = |what: &str, error: &std::io::Error| Exit::NotStarted(format!("{what}: {error}"));
    // One pipe for both streams keeps their lines in order.
    let output = pipe::writing(&cradle.paths, &plan.name)
        .map_err(|error| failed("its output has no way to its log", &error))?;
    let error = output.try_clone().map_err(|error| failed("its output has no way to its log", &error))?;
    let prelude = Prelude::of(plan).map_err(Exit::Refused)?;
    let directory = plan.directory.as_deref().unwrap_or(cradle.paths.home());
    if !directory.is_dir() {
        return Err(Exit::Refused(format!("its directory `{}` is not there", directory.display())));
    }
    let mut command = Command::new(&plan.command);
    command
        .args(&plan.args)
        .current_dir(directory)
        .env_clear()
        .envs(plan::environment(plan, &cradle.environment(), &cradle.paths))
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(error)
        .process_group(0);
    for (name, value) in prelude.who.iter().flat_map(|who| &who.environment) {
        if !plan.env.contains_key(&*name.to_string_lossy()) {
            command.env(name, value);
        }
    }
    for (name, secret) in &plan.secrets {
        let value = secret.resolve(&cradle.paths).map_err(|error| {
            let way = hint(&error).map(|(hint, _)| format!("; {hint}")).unwrap_or_default();
            Exit::Refused(format!("{}{way}", Chain(&error)))
        })?;
        command.env(name, value.expose_secret());
    }
    command.envs(ear.map(|ear| (OsString::from("NOTIFY_SOCKET"), ear)));
    prelude.hang_on(&mut command);
    Ok(command)
}

impl Prelude {
    fn of(plan: &Plan) -> Result<Self, String> {
        let root = rustix::process::geteuid().is_root();
        let who = who::find(plan.user.as_deref(), plan.group.as_deref())?;
        if let Some(nice) = plan.nice.filter(|nice| *nice < 0 && !root) {
            return Err(format!(
                "it is to have a `nice` of {nice}, and only root can give more than the usual share"
            ));
        }
        if let Some(score) = plan.oom_score.filter(|score| *score < 0 && !root) {
            return Err(format!(
                "it is to have an `oom-score` of {score}, and only root can spare a process"
            ));
        }
        let limits = limits(&plan.limits);
        for (name, resource, limit) in &limits {
            let most = rustix::process::getrlimit(*resource).maximum;
            if let Some(most) = most.filter(|most| limit > most && !root) {
                return Err(format!(
                    "`limits.{name}` is above what this machine allows without root, {most}"
                ));
            }
        }
        Ok(Self {
            limits: limits.into_iter().map(|(_, resource, limit)| (resource, limit)).collect(),
            nice: plan.nice.map(i32::from),
            oom_score: plan.oom_score.map(|score| score.to_string()),
            who,
        })
    }

    /// Without anything to set the program is started the short way (posix_spawn(3)), which does not copy this process.
    fn hang_on(self, command: &mut Command) {
        if self.limits.is_empty() && self.nice.is_none() && self.oom_score.is_none() && self.who.is_none() {
            return;
        }
        // SAFETY: between fork and exec only system calls are made, and nothing is allocated (signal-safety(7)).
        #[expect(unsafe_code, reason = "nothing else runs between the fork and the program")]
        unsafe {
            command.pre_exec(move || self.play());
        }
    }

    fn play(&self) -> std::io::Result<()> {
        if let Some(score) = &self.oom_score {
            spare(score)?;
        }
        if let Some(nice) = self.nice {
            rustix::process::setpriority_process(None, nice)?;
        }
        for (resource, limit) in &self.limits {
            let limit = Rlimit { current: Some(*limit), maximum: Some(*limit) };
            rustix::process::setrlimit(*resource, limit)?;
        }
        self.who.as_ref().map_or(Ok(()), Who::become_it)
    }
}

fn limits(limits: &Limits) -> Vec<(&'static str, Resource, u64)> {
    let Limits { memory, files, processes, cpu, file_size, core } = limits;
    let all = [
        ("memory", Resource::As, memory.map(|size| size.0)),
        ("files", Resource::Nofile, *files),
        ("processes", Resource::Nproc, *processes),
        ("cpu", Resource::Cpu, cpu.map(|time| time.0.as_secs().max(1))),
        ("file-size", Resource::Fsize, file_size.map(|size| size.0)),
        ("core", Resource::Core, core.map(|size| size.0)),
    ];
    all.into_iter().filter_map(|(name, resource, limit)| Some((name, resource, limit?))).collect()
}

#[cfg(target_os = "linux")]
fn spare(score: &str) -> std::io::Result<()> {
    use rustix::fs::{Mode, OFlags, open};
    let file = open(c"/proc/self/oom_score_adj", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, score.as_bytes())?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn spare(_: &str) -> std::io::Result<()> {
    Ok(())
}

impl Who {
    /// Groups before the user: afterwards there is no right to.
    fn become_it(&self) -> std::io::Result<()> {
        let done = |code: libc::c_int| if code == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) };
        // How long a list is has another type elsewhere.
        #[cfg(target_os = "linux")]
        let count = self.groups.len();
        #[cfg(not(target_os = "linux"))]
        let count = libc::c_int::try_from(self.groups.len()).unwrap_or_default();
        // SAFETY: the list is alive and as long as is said; the others take numbers.
        #[expect(unsafe_code, reason = "no safe call changes all of a process's groups and users everywhere")]
        unsafe {
            done(libc::setgroups(count, self.groups.as_ptr()))?;
            done(libc::setgid(self.gid))?;
            done(libc::setuid(self.uid))
        }
    }
}
