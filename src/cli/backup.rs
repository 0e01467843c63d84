//! `portolan backup` and `portolan restore`: a whole instance as one file, and back.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::place::Place;
use crate::cli::print;
use crate::config::Config;
use crate::error::Result;
use crate::index::work::blocking;
use crate::store::unpack;

/// What `portolan backup` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  portolan backup /var/backups/portolan/")]
pub(super) struct Backup {
    /// The tar file to write, or a folder for a new one named by the time.
    #[arg(value_name = "FILE|DIR")]
    path: PathBuf,
}

/// What `portolan restore` is told.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  portolan restore portolan-20260801T020000Z.tar --data restored/\n  \
                        portolan serve --data restored/"
)]
pub(super) struct Restore {
    /// The backup; it goes to the folder of --data, which must be empty or not there.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Backs up.
pub(super) async fn run(config: &Config, command: Backup, json: bool) -> Result<ExitCode> {
    let place = Place::open(config).await?;
    let made = place.backup(&command.path).await?;
    for name in made["left_out"].as_array().into_iter().flatten() {
        eprintln!("portolan: collection {name} does not open and is not in the backup; `portolan doctor` tells why");
    }
    if json {
        print(&format!("{made}\n"));
    } else {
        print(&format!(
            "{}: {}\n",
            made["file"].as_str().unwrap_or_default(),
            told(&made)
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Restores.
pub(super) async fn restore(config: &Config, command: Restore, json: bool) -> Result<ExitCode> {
    let (file, data) = (command.file, config.data.clone());
    let place = data.clone();
    let manifest = blocking(move || unpack(&file, &place)).await?;
    let restored = json!({
        "data": data,
        "made_at": manifest.made_at,
        "collections": manifest.collections,
        "files": manifest.files.len(),
        "bytes": manifest.files.values().map(|file| file.bytes).sum::<u64>(),
    });
    if json {
        print(&format!("{restored}\n"));
    } else {
        let data = data.display();
        print(&format!(
            "{data}: {} of {}; `portolan serve --data {data}` serves it\n",
            told(&restored),
            manifest.made_at
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn told(backup: &Value) -> String {
    let collections = backup["collections"].as_object();
    let documents: u64 = collections
        .into_iter()
        .flat_map(|all| all.values())
        .filter_map(Value::as_u64)
        .sum();
    let count = collections.map_or(0, serde_json::Map::len);
    format!("{count} collections, {documents} documents, {} bytes", backup["bytes"])
}
