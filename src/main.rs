//! The command line of Portolan: what each command is called and where it is done.

use std::process::ExitCode;

fn main() -> ExitCode {
    portolan::cli::run(std::env::args_os())
}
