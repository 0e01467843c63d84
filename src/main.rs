//! The command line of Portolan: what each command is called and where it is done.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = portolan::cli::Arguments::parse();
    portolan::cli::run(arguments)
}
