//! The doorbell: parse, run, exit code. The rest is the library's.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(daemonctl::cli::main())
}
