//! The house rules as a test (`tidy`), and the generated reference (`bless`).

use std::process::ExitCode;

mod reference;
mod tidy;

fn main() -> ExitCode {
    let verb = std::env::args().nth(1);
    let complaints = match verb.as_deref() {
        Some("tidy") => tidy::complaints(),
        Some("bless") => reference::bless(),
        _ => vec!["usage: cargo run -p xtask -- tidy | bless".to_owned()],
    };
    #[expect(clippy::print_stderr, reason = "a tool for the terminal")]
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_house_is_tidy() {
        let complaints = crate::tidy::complaints();
        assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    }

    #[test]
    fn the_reference_is_fresh() {
        let stale = crate::reference::stale();
        assert!(stale.is_empty(), "`make bless` renews:\n{}", stale.join("\n"));
    }
}
