//! The `doorward` command.

fn main() -> std::process::ExitCode {
    doorward::cli::main()
}
