//! When a process was born: with its number, what tells it from every other process there ever was.

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
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(format!("{}+{started}", boot.trim()))
}

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
