//! Running `git` on the vault: always by name of file, never by pattern, never asking anybody anything.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Longer than any of it takes on a slow disk with a hundred thousand notes.
const PATIENCE: Duration = Duration::from_mins(5);
/// Fields of a line of the log, and where one commit ends.
const FIELD: char = '\u{1f}';
const RECORD: char = '\u{1e}';

/// What git said instead of doing it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("git {what}: {said}")]
pub(crate) struct GitError {
    what: String,
    said: String,
}

impl GitError {
    /// Whether a lock file was in the way.
    pub(crate) fn is_locked(&self) -> bool {
        self.said.contains(".lock")
            && (self.said.contains("File exists") || self.said.contains("Unable to create"))
    }
}

/// A repository that the vault is, or is in.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    vault: PathBuf,
    /// Made by this service: everything in it may be committed. In somebody's own only what we changed is.
    pub(crate) ours: bool,
}

/// One change of a path, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) commit: String,
    pub(crate) at: Timestamp,
    pub(crate) who: String,
    pub(crate) subject: String,
    /// The commit that this one took back.
    pub(crate) undoes: Option<String>,
    /// `A`, `M`, `D` or `R`.
    pub(crate) status: char,
    pub(crate) path: String,
    pub(crate) old: Option<String>,
}

/// What a commit says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message {
    pub(crate) author: String,
    pub(crate) text: String,
    pub(crate) at: Timestamp,
}

impl Git {
    /// Opens the repository of the vault, or makes one. `nested`: one around the vault may be the owner's own.
    pub(crate) async fn open(vault: &Path, nested: bool) -> Result<Self, GitError> {
        let mut git = Self { vault: vault.to_owned(), ours: false };
        let own = vault.join(".git").exists();
        let within = nested && !own && git.is_within().await;
        if !own && !within {
            git.run(&["init", "-q", "-b", "main"], None).await?;
            git.run(&["config", "sanctum.vault", "true"], None).await?;
        }
        git.run(&["rev-parse", "--git-dir"], None).await?;
        let ours = git.run(&["config", "--local", "--get", "sanctum.vault"], None).await;
        git.ours = !within && ours.is_ok_and(|said| said.trim_ascii() == b"true");
        Ok(git)
    }

    /// Whether the vault is in a repository that does not ignore it.
    async fn is_within(&self) -> bool {
        self.run(&["rev-parse", "--is-inside-work-tree"], None).await.is_ok()
            && self.run(&["check-ignore", "-q", "."], None).await.is_err()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"GIT_") {
                command.env_remove(name);
            }
        }
        command
            .arg("-C")
            .arg(&self.vault)
            // Nobody's hooks, keys, filters or colours: the history is of the files as they are.
            .args([
                "-c",
                "core.hooksPath=/dev/null",
                "-c",
                "commit.gpgSign=false",
                "-c",
                "core.quotePath=false",
            ])
            .args(["-c", "core.autocrlf=false", "-c", "core.safecrlf=false", "-c", "gc.auto=0"])
            .args([
                "-c",
                "core.fsyncMethod=batch",
                "-c",
                "maintenance.auto=false",
                "-c",
                "core.fsmonitor=false",
                "-c",
                "color.ui=false",
            ])
            .args(["--literal-pathspecs", "--no-pager"])
            .args(words)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    pub(crate) async fn run(&self, words: &[&str], input: Option<&[u8]>) -> Result<Vec<u8>, GitError> {
        self.finish(self.command(words), words, input).await
    }

    async fn finish(
        &self,
        mut command: Command,
        words: &[&str],
        input: Option<&[u8]>,
    ) -> Result<Vec<u8>, GitError> {
        let fails =
            |said: String| GitError { what: words.first().copied().unwrap_or_default().to_owned(), said };
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = command.spawn().map_err(|error| fails(error.to_string()))?;
        let pipe = child.stdin.take();
        let feed = async {
            if let (Some(mut pipe), Some(input)) = (pipe, input) {
                // Who ends without reading has said why on the other side.
                pipe.write_all(input).await.ok();
            }
        };
        let both = async { tokio::join!(feed, child.wait_with_output()).1 };
        let output = match tokio::time::timeout(PATIENCE, both).await {
            Err(_) => return Err(fails(format!("it took longer than {} s", PATIENCE.as_secs()))),
            Ok(output) => output.map_err(|error| fails(error.to_string()))?,
        };
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim();
        Err(fails(if said.is_empty() { output.status.to_string() } else { said.chars().take(500).collect() }))
    }

    /// Commits these paths as they are on the disk; `None` if nothing about them has changed.
    pub(crate) async fn commit(
        &self,
        paths: &[String],
        message: &Message,
    ) -> Result<Option<String>, GitError> {
        let list = format!("{}\0", paths.join("\0"));
        self.run(&["update-index", "--add", "--remove", "-z", "--stdin"], Some(list.as_bytes())).await?;
        self.commit_staged(Some(paths), message).await
    }

    /// Commits every note that is not as it was committed; only in a repository of ours.
    pub(crate) async fn commit_all(&self, message: &Message) -> Result<Option<String>, GitError> {
        let known = self.run(&["ls-files", "-z", "--cached", "--others", "--deleted"], None).await?;
        let known = String::from_utf8_lossy(&known);
        let notes = known.split('\0').filter(|path| super::is_note(path));
        let mut paths: Vec<String> = notes.map(str::to_owned).collect();
        paths.sort_unstable();
        paths.dedup();
        if paths.is_empty() { Ok(None) } else { self.commit(&paths, message).await }
    }

    async fn commit_staged(
        &self,
        paths: Option<&[String]>,
        message: &Message,
    ) -> Result<Option<String>, GitError> {
        let staged =
            self.run(&["diff", "--cached", "--name-only", "--no-renames", "--relative", "-z"], None).await?;
        let staged = String::from_utf8_lossy(&staged);
        let staged: std::collections::HashSet<&str> =
            staged.split('\0').filter(|path| !path.is_empty()).collect();
        let wanted: Vec<&str> = match paths {
            Some(paths) => paths.iter().map(String::as_str).filter(|path| staged.contains(path)).collect(),
            None => staged.into_iter().collect(),
        };
        if wanted.is_empty() {
            return Ok(None);
        }
        let words = ["commit", "-q", "--no-verify", "--cleanup=whitespace", "-F", "-"];
        let mut command = self.command(&words);
        let list =
            tempfile::NamedTempFile::new().map_err(|error| self.fails("commit", &error.to_string()))?;
        if !self.ours {
            // What somebody else has staged stays staged.
            let text = format!("{}\0", wanted.join("\0"));
            std::io::Write::write_all(&mut list.as_file(), text.as_bytes())
                .map_err(|error| self.fails("commit", &error.to_string()))?;
            command.arg("--only").arg("--pathspec-file-nul").arg("--pathspec-from-file").arg(list.path());
        }
        let date = format!("@{} +0000", message.at.as_second());
        let mail = format!("{}@sanctum.invalid", message.author.replace(' ', "-"));
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), &message.author)
                .env(format!("GIT_{role}_EMAIL"), &mail)
                .env(format!("GIT_{role}_DATE"), &date);
        }
        self.finish(command, &words, Some(message.text.as_bytes())).await?;
        let head = self.run(&["rev-parse", "HEAD"], None).await?;
        Ok(Some(String::from_utf8_lossy(&head).trim().to_owned()))
    }

    fn fails(&self, what: &str, said: &str) -> GitError {
        GitError { what: what.to_owned(), said: format!("{}: {said}", self.vault.display()) }
    }

    /// The changes of one file, the newest first, through its renames.
    pub(crate) async fn log(&self, path: &str) -> Result<Vec<Logged>, GitError> {
        self.logged(&["--follow", "-n", "1000", "--", path]).await
    }

    /// The changes of a run, the newest first.
    pub(crate) async fn run_log(&self, run: &str) -> Result<Vec<Logged>, GitError> {
        let grep = format!("--grep=Run: {run}");
        self.logged(&["-M", "--fixed-strings", &grep]).await
    }

    async fn logged(&self, more: &[&str]) -> Result<Vec<Logged>, GitError> {
        if self.run(&["rev-parse", "-q", "--verify", "HEAD"], None).await.is_err() {
            return Ok(Vec::new());
        }
        let format =
            "--format=%x1e%H%x1f%at%x1f%an%x1f%s%x1f%(trailers:key=Undoes,valueonly,separator=%x2C)%x1f";
        let mut words = vec!["log", "-z", "--relative", "--name-status", format];
        words.extend(more);
        let said = self.run(&words, None).await?;
        let said = String::from_utf8_lossy(&said);
        Ok(said.split(RECORD).skip(1).flat_map(record).collect())
    }

    /// Files as they were: each `(commit, path)`; `^` behind a commit is the one before it. `None` where there was none.
    pub(crate) async fn contents(
        &self,
        wanted: &[(String, String)],
    ) -> Result<Vec<Option<Vec<u8>>>, GitError> {
        let lines: Vec<String> = wanted.iter().map(|(commit, path)| format!("{commit}:./{path}\n")).collect();
        let lines = lines.concat();
        let said = self.run(&["cat-file", "--batch"], Some(lines.as_bytes())).await?;
        let mut rest = said.as_slice();
        let mut contents = Vec::with_capacity(wanted.len());
        while contents.len() < wanted.len() {
            let end = rest.iter().position(|byte| *byte == b'\n');
            let Some((line, after)) = end.and_then(|end| Some((rest.get(..end)?, rest.get(end + 1..)?)))
            else {
                break;
            };
            let size = std::str::from_utf8(line)
                .ok()
                .and_then(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok());
            let found = size
                .filter(|_| !line.ends_with(b" missing"))
                .and_then(|size| Some((after.get(..size)?.to_vec(), after.get(size + 1..)?)));
            let (content, after) = found.map_or((None, after), |(content, after)| (Some(content), after));
            contents.push(content);
            rest = after;
        }
        contents.resize(wanted.len(), None);
        Ok(contents)
    }

    /// Where the lock of the index would be.
    pub(crate) async fn locks(&self) -> Vec<PathBuf> {
        let mut locks = Vec::new();
        for name in ["index.lock", "HEAD.lock"] {
            if let Ok(said) = self.run(&["rev-parse", "--git-path", name], None).await {
                let path = String::from_utf8_lossy(&said).trim().to_owned();
                locks.push(self.vault.join(path));
            }
        }
        locks
    }

    /// Packs what has gathered, where git thinks it worth it.
    pub(crate) async fn pack(&self) {
        let words = ["-c", "gc.auto=6700", "-c", "gc.autoDetach=false", "gc", "--auto", "--quiet"];
        if let Err(error) = self.run(&words, None).await {
            tracing::debug!(%error, "the history could not be packed");
        }
    }
}

fn record(text: &str) -> Vec<Logged> {
    let mut fields = text.splitn(6, FIELD);
    let mut next = || fields.next().unwrap_or_default().to_owned();
    let (commit, at, who, subject, undoes, rest) = (next(), next(), next(), next(), next(), next());
    let at = at.parse().ok().and_then(|at| Timestamp::from_second(at).ok()).unwrap_or(Timestamp::UNIX_EPOCH);
    let undoes = Some(undoes).filter(|undoes| !undoes.is_empty());
    let mut words = rest.split(['\0', '\n']).filter(|word| !word.is_empty());
    let mut changes = Vec::new();
    while let Some(status) = words.next().and_then(|status| status.chars().next()) {
        let Some(first) = words.next() else { break };
        let (old, path) = if matches!(status, 'R' | 'C') {
            let Some(second) = words.next() else { break };
            (Some(first.to_owned()).filter(|_| status == 'R'), second.to_owned())
        } else {
            (None, first.to_owned())
        };
        let status = if status == 'C' { 'A' } else { status };
        let (commit, who, subject, undoes) = (commit.clone(), who.clone(), subject.clone(), undoes.clone());
        changes.push(Logged { commit, at, who, subject, undoes, status, path, old });
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_is_read_with_its_renames() {
        let text = "abc\u{1f}1700000000\u{1f}claude\u{1f}changed x\u{1f}def\u{1f}\0\nR090\0a b.md\0archive/a b.md\0M\0c.md\0\0";
        let read = record(text);
        assert_eq!(read.len(), 2);
        assert_eq!(
            (read[0].status, read[0].old.as_deref(), &*read[0].path),
            ('R', Some("a b.md"), "archive/a b.md")
        );
        assert_eq!((read[1].status, read[1].undoes.as_deref(), &*read[1].path), ('M', Some("def"), "c.md"));
    }
}
