//! The machine has memory left, and does not wait for it.

use sanctum_kernel::inventory::check::Memory;

use crate::Answer;
use crate::answer::size;

pub(super) fn look(memory: &Memory) -> Result<Answer, Answer> {
    let mut said = Vec::new();
    let mut value = None;
    if let Some(most) = memory.max_pressure {
        let waited = pressure(&read("/proc/pressure/memory")?)
            .ok_or_else(|| Answer::unknown("the kernel says nothing of pressure on memory (`psi=1`)"))?;
        let detail = format!("{waited} % of the last minute somebody waited for memory");
        if waited > f64::from(most) {
            return Err(Answer::fail(format!("{detail}; {most} % should be the most")).measured(waited));
        }
        said.push(detail);
        value = Some(waited);
    }
    if let Some(least) = memory.min_available {
        let available = available(&read("/proc/meminfo")?)
            .ok_or_else(|| Answer::unknown("the kernel does not say how much memory is available"))?;
        let detail = format!("{} available", size(available));
        #[expect(clippy::cast_precision_loss, reason = "nobody misses a byte in a petabyte")]
        let bytes = available as f64;
        if available < least.0 {
            return Err(Answer::fail(format!("{detail}; {least} should be")).measured(bytes));
        }
        said.insert(0, detail);
        value = Some(bytes);
    }
    let value = value.ok_or_else(|| Answer::unknown("nothing says what is too little"))?;
    Ok(Answer::pass(said.join(", ")).measured(value))
}

/// Files of the kernel's own are never slow.
fn read(path: &str) -> Result<String, Answer> {
    std::fs::read_to_string(path)
        .map_err(|error| Answer::unknown(format!("`{path}` could not be read: {error}")))
}

/// `MemAvailable` in bytes (proc(5)).
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_ascii_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// `avg60` of the line `some` (the kernel's accounting/psi.rst).
fn pressure(psi: &str) -> Option<f64> {
    let line = psi.lines().find(|line| line.starts_with("some"))?;
    line.split_ascii_whitespace().find_map(|field| field.strip_prefix("avg60="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_read_as_it_writes() {
        let psi =
            "some avg10=1.00 avg60=12.50 avg300=0.10 total=12\nfull avg10=0.00 avg60=3.00 avg300=0 total=1\n";
        assert_eq!(pressure(psi), Some(12.5));
        assert_eq!(available("MemTotal:  10 kB\nMemAvailable:    2048 kB\n"), Some(2 << 20));
        assert_eq!((pressure(""), available("")), (None, None));
    }
}
