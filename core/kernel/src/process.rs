//! Processes of this machine: what tells one from every other there ever was, and who listens where.

/// The boot and the ticks since, from proc(5); `None` if it does not run (a dead one that nobody waited for does not).
/// A recycled number has another birth.
#[cfg(target_os = "linux")]
pub fn born(pid: u32) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, also parentheses and spaces.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    // The 22nd field of the line is the 19th after the state.
    let started: u64 = fields.nth(18)?.parse().ok()?;
    let boot = BOOT.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(text.trim().to_owned())
    });
    Some(format!("{}+{started}", boot.as_ref()?))
}

/// Which boot this is: the same for as long as a process can live.
#[cfg(target_os = "linux")]
static BOOT: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();

/// The start as ps(1) says it; `None` if it does not run.
#[cfg(not(target_os = "linux"))]
pub fn born(pid: u32) -> Option<String> {
    let output = std::process::Command::new("/bin/ps")
        .args(["-o", "lstart=", "-p", &pid.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// Gives memory that is free back to the system, after work that needed much of it for a while: glibc keeps it for the next
/// (malloc_trim(3)). Takes some milliseconds. Elsewhere the allocator does as it likes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "no safe wrapper of it is among our libraries")]
pub fn release_free_memory() {
    // SAFETY: it may be called by any thread at any time, and touches only what nobody holds.
    unsafe { libc::malloc_trim(0) };
}

/// Gives memory that is free back to the system, where the allocator can be asked to.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub const fn release_free_memory() {}

/// Which process of this machine listens on a port, as far as it can be seen: `` `name` (pid 7) ``.
#[cfg(target_os = "linux")]
pub fn listener(port: u16) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
        let table = std::fs::read_to_string(table).ok()?;
        let suffix = format!(":{port:04X}");
        table.lines().skip(1).find_map(|line| {
            let mut words = line.split_whitespace();
            let (local, state) = (words.nth(1)?, words.nth(1)?);
            // 0A is TCP_LISTEN (include/net/tcp_states.h).
            (local.ends_with(&suffix) && state == "0A").then(|| words.nth(5).map(str::to_owned)).flatten()
        })
    })?;
    let unknown = || Some("a process that cannot be seen from here".to_owned());
    let socket = format!("socket:[{inode}]");
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        // `self` and the like are names of processes that have a number too.
        let numbered = process.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit());
        let Ok(fds) = std::fs::read_dir(process.path().join("fd")) else { continue };
        if !numbered {
            continue;
        }
        let holds = fds
            .flatten()
            .any(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to.as_os_str() == socket.as_str()));
        if holds {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("`{}` (pid {})", name.trim(), process.file_name().to_string_lossy()));
        }
    }
    unknown()
}

/// Which process of this machine listens on a port: not told here.
#[cfg(not(target_os = "linux"))]
pub const fn listener(_: u16) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_living_have_a_birth_and_nobody_has_none() {
        let me = std::process::id();
        assert!(super::born(me).is_some());
        assert_eq!(super::born(me), super::born(me));
        assert_eq!(super::born(u32::MAX), None);
    }
}
