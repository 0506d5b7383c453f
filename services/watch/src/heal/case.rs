//! What is known of a trouble when something is to be done about it.

use std::path::PathBuf;

use sanctum_api::supervise::ServiceState;
use sanctum_kernel::Inventory;
use sanctum_kernel::inventory::Item;
use sanctum_kernel::inventory::check::Check;

use super::hands::process::{self, Process};
use super::hands::{files, keeper};
use super::ledger::Ledger;
use super::recipe::{CheckKind, Detector, Look, Script};
use super::step::{Hands, Step};
use super::{Cause, Evidence};

/// Open files of all that it may have, in percent, from which on a service counts as exhausted.
const HANDLES: u64 = 90;
/// Dead children nobody waited for, from which on they are a flood.
const ZOMBIES: usize = 20;

/// Where steps begin.
pub(crate) struct Case<'a> {
    pub(crate) hands: &'a Hands,
    pub(crate) ledger: &'a Ledger,
    pub(crate) inventory: &'a Inventory,
    /// The service in trouble; none for what concerns the whole machine.
    pub(crate) item: Option<&'a Item>,
    pub(crate) evidence: &'a [Evidence],
    pub(crate) cause: &'a Cause,
    /// Where things are put aside in this case.
    pub(crate) aside: PathBuf,
    pub(crate) incident: Option<u64>,
}

/// What looking brought.
pub(crate) enum Found {
    /// The fault is there, and this mends it.
    Plan(Vec<Step>),
    /// Something is there that only a person may mend; what to do.
    Advice(String),
    /// It is not there: why nothing is to be done.
    Nothing(String),
}

impl Found {
    pub(crate) fn advice(words: impl Into<String>) -> Self {
        Self::Advice(words.into())
    }

    pub(crate) fn nothing(words: impl Into<String>) -> Self {
        Self::Nothing(words.into())
    }
}

impl Case<'_> {
    pub(crate) fn home(&self) -> &std::path::Path {
        self.hands.home()
    }

    /// The service in trouble, or why there is none.
    pub(crate) fn item(&self) -> Result<&Item, Found> {
        self.item.ok_or_else(|| Found::nothing("it needs a service, and none was named"))
    }

    /// A service that the supervisor runs, or what to tell a person.
    pub(crate) fn supervised(&self) -> Result<&Item, Found> {
        let item = self.item()?;
        if item.supervised {
            return Ok(item);
        }
        let name = &item.name;
        Err(Found::Advice(format!("`{name}` is run by somebody else (it has no `run`): restart it there")))
    }

    pub(crate) async fn state(&self, name: &str) -> Result<ServiceState, Found> {
        keeper::service(&self.hands.shared, name).await.map_err(Found::Nothing)
    }

    pub(crate) async fn states(&self) -> Result<Vec<ServiceState>, Found> {
        keeper::services(&self.hands.shared).await.map_err(Found::Nothing)
    }

    /// Checks of a kind: those that fail first, then, if nothing is known to fail, all of the service.
    pub(crate) fn checks(&self, kind: CheckKind) -> Vec<&Check> {
        let Some(item) = self.item else { return Vec::new() };
        let fails = |name: &String| self.evidence.iter().any(|evidence| evidence.check == *name);
        let of_kind = || item.check.iter().filter(|(_, check)| CheckKind::of(check) == Some(kind));
        let failing: Vec<&Check> =
            of_kind().filter(|(name, _)| fails(name)).map(|(_, check)| check).collect();
        if failing.is_empty() { of_kind().map(|(_, check)| check).collect() } else { failing }
    }

    /// Whether the evidence is of the kind the recipe is for; else why not.
    pub(crate) async fn fits(&self, detector: &Detector) -> Result<(), String> {
        if let Some(item) = self.item
            && !detector.services.is_empty()
            && !detector.services.contains(&item.name)
        {
            return Err(format!("it is not for `{}`", item.name));
        }
        match self.cause {
            Cause::Sentinel(name) => {
                if !detector.sentinels.contains(name) {
                    return Err(format!("it is not for the sentinel `{name}`"));
                }
            }
            Cause::Checks => self.shown(detector)?,
            // A person, or somebody's words, say that it is needed.
            Cause::Asked => {}
        }
        if let Some(look) = detector.look {
            self.look(look).await?;
        }
        if let Some(script) = &detector.script {
            self.script_sees(script).await?;
        }
        Ok(())
    }

    fn shown(&self, detector: &Detector) -> Result<(), String> {
        let kind = |evidence: &Evidence| CheckKind::of_word(&evidence.kind);
        let kinds = &detector.checks;
        if !kinds.is_empty() && !self.evidence.iter().filter_map(kind).any(|kind| kinds.contains(&kind)) {
            return Err("no check of the kinds it is for fails".to_owned());
        }
        let says = |pattern: &String| {
            let pattern = pattern.to_lowercase();
            self.evidence.iter().any(|evidence| evidence.detail.to_lowercase().contains(&pattern))
        };
        if !detector.says.is_empty() && !detector.says.iter().any(says) {
            return Err("no check says what it is for".to_owned());
        }
        Ok(())
    }

    async fn script_sees(&self, script: &Script) -> Result<(), String> {
        let step = self.script(script);
        step.perform(self.hands).await.map(drop).map_err(|why| format!("its detector does not see it: {why}"))
    }

    /// The step of a script, with its arguments filled in.
    pub(crate) fn script(&self, script: &Script) -> Step {
        let port = self.item.and_then(|item| item.port).map(|port| port.to_string()).unwrap_or_default();
        let name = self.item.map(|item| item.name.clone()).unwrap_or_default();
        let incident = self.incident.map(|id| id.to_string()).unwrap_or_default();
        let fill = |word: &String| {
            word.replace("{service}", &name).replace("{port}", &port).replace("{incident}", &incident)
        };
        Step::Script {
            file: script.file.clone(),
            arguments: script.arguments.iter().map(fill).collect(),
            undo: script.undo.clone(),
            time: script.timeout.0,
            memory: script.memory,
            processes: script.processes,
        }
    }

    /// Whether this is to be seen of the processes of the service.
    async fn look(&self, look: Look) -> Result<(), String> {
        let words = |found| match found {
            Found::Advice(words) | Found::Nothing(words) => words,
            Found::Plan(_) => String::new(),
        };
        let item = self.item().map_err(words)?;
        let state = self.state(&item.name).await.map_err(words)?;
        let pid = state.pid.ok_or_else(|| format!("`{}` has no process", item.name))?;
        let all = process::all();
        let leader = all.iter().find(|process| process.pid == pid);
        let leader = leader.ok_or_else(|| format!("process {pid} is gone"))?;
        match look {
            Look::Wedged => self.wedged(leader),
            Look::ImageReplaced => match process::image_replaced(pid) {
                Some(_) => Ok(()),
                None => Err(format!("process {pid} runs the program that is there")),
            },
            Look::Zombies => {
                let dead = all.iter().filter(|process| process.parent == pid && process.state == 'Z').count();
                if dead >= ZOMBIES { Ok(()) } else { Err(format!("process {pid} has {dead} dead children")) }
            }
            Look::Handles => match process::handles(pid) {
                Some((open, most)) if open * 100 >= most * HANDLES => Ok(()),
                Some((open, most)) => Err(format!("process {pid} has {open} of {most} files open")),
                None => Err(format!("how many files process {pid} has open cannot be seen")),
            },
        }
    }

    fn wedged(&self, leader: &Process) -> Result<(), String> {
        let silent = |evidence: &Evidence| {
            let detail = evidence.detail.to_lowercase();
            ["no answer within", "timed out", "time-out", "timeout"].iter().any(|word| detail.contains(word))
        };
        // `T` is stopped, `t` stopped by a debugger, `D` deep in the kernel.
        if matches!(leader.state, 'T' | 't' | 'D') || self.evidence.iter().any(silent) {
            return Ok(());
        }
        Err(format!("{} is not stopped, and no check waited for it in vain", leader.shown()))
    }

    /// A place where `path` is put aside in this case.
    pub(crate) fn aside(&self, path: &std::path::Path) -> PathBuf {
        self.aside.join(path.file_name().unwrap_or_default())
    }

    /// Room that is missing on the file system of `path`, if less than `wanted` (or a tenth of it all) is free.
    pub(crate) fn wanted_room(path: &std::path::Path, wanted: Option<u64>) -> Result<Option<u64>, Found> {
        let (free, all) = files::room(path).map_err(Found::Nothing)?;
        let wanted = wanted.unwrap_or(all / 10);
        Ok((free < wanted).then_some(wanted))
    }
}
