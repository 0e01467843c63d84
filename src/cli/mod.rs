//! The command line. One file a subcommand; exit code 0 good, 1 failed, 2 wrong use.

#![allow(clippy::print_stderr, reason = "the command line speaks to a person")]

mod ask;
mod backup;
mod collections;
mod doctor;
mod eval;
mod failure;
mod index;
mod jobs;
mod parse;
mod place;
mod progress;
mod search;
mod sets;
mod table;
mod traces;
mod tune;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::app;
use crate::config::{Config, environment};
use crate::error::{Error, Result};
use crate::telemetry;

/// Search and cited chat over your own documents.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Example:\n  portolan index docs/\n  portolan ask \"How many days of leave do we get?\""
)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// Settings file; `./portolan.toml` when it is there.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the data; `.portolan/data` unless set here, by `PORTOLAN_DATA` or in the settings file.
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address of the service; `127.0.0.1:8080` unless set here, by `PORTOLAN_LISTEN` or in the settings file.
    #[arg(long, global = true, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// JSON on standard output, for scripts; a failure is `{"error": {..}}` with the fields of the API's problems.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the web page and the API on 127.0.0.1:8080.
    #[command(after_help = "Example:\n  portolan serve --listen 127.0.0.1:9090")]
    Serve,
    /// Index a folder, a site, a repository or another source; what is unchanged is skipped, what is gone is deleted.
    Index(index::Index),
    /// List, pause, resume and cancel what is being indexed.
    Jobs(jobs::Jobs),
    /// Parse documents that the service sends.
    #[command(hide = true)]
    Parse,
    /// Search a collection.
    Search(search::Search),
    /// Ask a question; the answer streams with its sources.
    Ask(ask::Ask),
    /// Show how answers came about; make their evidence again.
    Traces(traces::Traces),
    /// List the collections, or delete one.
    Collections(collections::Collections),
    /// Write the whole instance to one file, also while it runs.
    Backup(backup::Backup),
    /// Make a data folder of a backup, once every file in it has been checked.
    Restore(backup::Restore),
    /// Measure retrieval and answers on questions whose answers are known; compare two runs; hold floors.
    Eval(eval::Eval),
    /// Fit how a collection is searched to its questions; the default stays unless a held-out half is better off.
    Tune(tune::Tune),
    /// Check the machine, the data, every back end and key; each fault names its mend.
    #[command(after_help = "Example:\n  portolan doctor --json")]
    Doctor,
}

/// Runs what was typed, the program's name first, to its exit code.
pub fn run(typed: impl Iterator<Item = OsString>) -> ExitCode {
    let typed: Vec<OsString> = typed.collect();
    match Arguments::try_parse_from(&typed) {
        Ok(arguments) => {
            let json = arguments.common.json;
            start(arguments).unwrap_or_else(|error| failure::tell(&error, json))
        }
        Err(error) => {
            let options = typed.iter().take_while(|one| *one != "--");
            failure::wrong_use(&error, options.into_iter().any(|one| one == "--json"))
        }
    }
}

fn start(arguments: Arguments) -> Result<ExitCode> {
    // It needs no settings and no threads.
    if matches!(arguments.command, Command::Parse) {
        return Ok(parse::run());
    }
    let environment = environment();
    telemetry::start(
        environment
            .get("PORTOLAN_LOG")
            .map_or("info,qdrant_edge=error,tantivy=warn", String::as_str),
        environment.get("PORTOLAN_LOG_FORMAT").map_or("", String::as_str),
    );
    let mut config = Config::load(arguments.common.config.as_deref(), environment)?;
    if let Some(data) = arguments.common.data {
        config.data = data;
    }
    if let Some(listen) = arguments.common.listen {
        config.listen = listen;
    }
    let json = arguments.common.json;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Error::storage("cannot start threads", error))?;
    let outcome = runtime.block_on(async move {
        match arguments.command {
            Command::Serve => {
                app::serve(&config).await?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Index(command) => index::run(&config, command, json).await,
            Command::Parse => Ok(parse::run()),
            Command::Jobs(command) => jobs::run(&config, command, json).await,
            Command::Search(command) => search::run(&config, command, json).await,
            Command::Ask(command) => ask::run(&config, command, json).await,
            Command::Traces(command) => traces::run(&config, command, json).await,
            Command::Collections(command) => collections::run(&config, command, json).await,
            Command::Backup(command) => backup::run(&config, command, json).await,
            Command::Restore(command) => backup::restore(&config, command, json).await,
            Command::Eval(command) => Box::pin(eval::run(&config.unhurried(), command, json)).await,
            Command::Tune(command) => tune::run(&config.unhurried(), command, json).await,
            Command::Doctor => doctor::run(&config, json).await,
        }
    });
    // A parser that does not come back must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(2));
    outcome
}

/// Writes to standard output; a closed pipe ends the program quietly.
fn print(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}
