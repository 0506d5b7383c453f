//! The one binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    sanctum_cli::main()
}
