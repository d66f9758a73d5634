//! The command line.

/// Runs the command line and returns its exit code (sysexits).
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
