//! Users and groups by name, as passwd(5) and group(5) have them.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// Whom a process runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// All of the user's groups, so that it may do what the user may.
    pub(super) groups: Vec<u32>,
    /// What a login would set: `HOME`, `USER`, `LOGNAME`.
    pub(super) environment: Vec<(OsString, OsString)>,
}

struct Entry {
    name: String,
    uid: u32,
    gid: u32,
    home: PathBuf,
}

/// Whom a plan means; `None` if it names nobody. The error is for a person.
pub(super) fn find(user: Option<&str>, group: Option<&str>) -> Result<Option<Who>, String> {
    if user.is_none() && group.is_none() {
        return Ok(None);
    }
    let me = rustix::process::geteuid().as_raw();
    let entry = match user {
        Some(name) => passwd(name).ok_or_else(|| format!("there is no user `{name}` on this machine"))?,
        None => Entry {
            name: String::new(),
            uid: me,
            gid: rustix::process::getegid().as_raw(),
            home: PathBuf::new(),
        },
    };
    let gid = match group {
        Some(name) => gid(name).ok_or_else(|| format!("there is no group `{name}` on this machine"))?,
        None => entry.gid,
    };
    if me != 0 {
        let same = entry.uid == me && gid == rustix::process::getegid().as_raw();
        let whom = user.or(group).unwrap_or_default();
        return if same {
            Ok(None)
        } else {
            Err(format!("it is to run as `{whom}`, and only root can start others' processes"))
        };
    }
    let mut groups = if user.is_some() { of_user(&entry.name) } else { Vec::new() };
    if !groups.contains(&gid) {
        groups.push(gid);
    }
    let login = [
        ("HOME", entry.home.into_os_string()),
        ("USER", entry.name.clone().into()),
        ("LOGNAME", entry.name.into()),
    ];
    let environment =
        login.into_iter().filter(|_| user.is_some()).map(|(name, value)| (name.into(), value)).collect();
    Ok(Some(Who { uid: entry.uid, gid, groups, environment }))
}

fn passwd(name: &str) -> Option<Entry> {
    let text = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut entries = text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let number = |at: usize| fields.get(at)?.parse::<u32>().ok();
        Some(Entry {
            name: (*fields.first()?).to_owned(),
            uid: number(2)?,
            gid: number(3)?,
            home: fields.get(5)?.into(),
        })
    });
    let number = name.parse::<u32>().ok();
    entries.find(|entry| entry.name == name || Some(entry.uid) == number).or_else(|| elsewhere(name))
}

/// Users that no file knows: directory services, macOS.
fn elsewhere(name: &str) -> Option<Entry> {
    let ask = |what: &str| -> Option<u32> {
        let told = Command::new("/usr/bin/id").args([what, name]).output().ok()?;
        String::from_utf8_lossy(&told.stdout).trim().parse().ok()
    };
    Some(Entry { name: name.to_owned(), uid: ask("-u")?, gid: ask("-g")?, home: PathBuf::from("/") })
}

/// The lines of group(5): name, number, members.
fn lines() -> Vec<(String, u32, Vec<String>)> {
    let text = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let line = |line: &str| {
        let mut fields = line.split(':');
        let (name, gid) = (fields.next()?.to_owned(), fields.nth(1)?.parse().ok()?);
        Some((name, gid, fields.next()?.split(',').map(str::to_owned).collect()))
    };
    text.lines().filter_map(line).collect()
}

fn gid(name: &str) -> Option<u32> {
    let number = name.parse::<u32>().ok();
    let found = lines().into_iter().find(|(known, gid, _)| known == name || Some(*gid) == number);
    found.map(|(_, gid, _)| gid).or(number)
}

fn of_user(user: &str) -> Vec<u32> {
    let member = |members: &[String]| members.iter().any(|member| member == user);
    lines().into_iter().filter(|(_, _, members)| member(members)).map(|(_, gid, _)| gid).collect()
}
