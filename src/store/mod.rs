//! What must outlive a restart besides the index: conversations and jobs, in `SQLite`.

mod archive;
mod conversations;
mod erase;
mod jobs;
mod replays;
mod rows;
mod sentences;
#[cfg(test)]
mod tests;
mod traces;

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::SqlitePool;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

pub use archive::{Manifest, Packed, pack, unpack};
pub use jobs::{ErrorKind, JobError, JobRecord, JobState, MAX_JOB_ERRORS, SentenceRecord};
pub use replays::Replay;
pub use rows::{AnswerRecord, ConversationRow, MessageRow, StoredCitation};
pub use traces::{Feedback, PASSAGE_WORDS, TraceList, TraceRecord, TraceRow};

use crate::error::{Error, Result, mend_of_the_disk};

static MIGRATIONS: Migrator = sqlx::migrate!("src/store/migrations");

/// How long a writer waits for another.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Writes take turns anyway; a few connections let readers go beside them.
const CONNECTIONS: u32 = 4;

/// The database of one instance. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
    /// Whether sentences were erased whose words the write-ahead log may still hold.
    erased: Arc<AtomicBool>,
    /// Held until the last clone is gone, also by a killed process: the system lets go of it.
    _owner: Arc<File>,
}

impl Store {
    /// Opens the database at `file`, makes it when absent and brings its schema up to date.
    ///
    /// Jobs still marked as running are marked as failed, so only the process that owns the data folder may open it.
    /// A database that a newer version wrote, or that another process has open, is a `Conflict`.
    pub async fn open(file: &Path) -> Result<Self> {
        if let Some(folder) = file.parent() {
            // Texts and conversations are for who runs the service, not for everybody on the machine.
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(|cause| Error::storage(&format!("cannot make the folder `{}`", folder.display()), cause))?;
        }
        let owner = own(&file.with_extension("lock"))?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            // Erased text must not stay behind in free pages.
            .pragma("secure_delete", "on");
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .connect_with(options)
            .await
            .map_err(|cause| {
                let file = file.display();
                let usual = "put it back from a backup, or move it away: conversations go with it, documents do not";
                let mend = mend_of_the_disk(&cause.to_string()).unwrap_or(usual);
                Error::Storage(format!("cannot open the database `{file}`: {cause}; {mend}"))
            })?;
        MIGRATIONS
            .run(&pool)
            .await
            .map_err(|cause| migration_failure(file, cause))?;
        let store = Self {
            pool,
            erased: Arc::default(),
            _owner: Arc::new(owner),
        };
        store.fail_orphaned_jobs().await?;
        Ok(store)
    }

    /// Whether a process has the database at `file` open.
    pub fn is_owned(file: &Path) -> bool {
        let lock = File::options().write(true).open(file.with_extension("lock"));
        lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
    }

    /// Writes a copy of the database as it is at one moment to `file`, which must not be there yet.
    pub async fn copy_to(&self, file: &Path) -> Result<()> {
        sqlx::query("vacuum into ?")
            .bind(file.display().to_string())
            .execute(&self.pool)
            .await
            .map_err(failed("cannot copy the database"))?;
        Ok(())
    }

    /// Closes the connections; calls through other clones fail from then on.
    pub async fn close(self) {
        self.pool.close().await;
    }
}

/// Takes the data folder for this process.
fn own(file: &Path) -> Result<File> {
    let failed = |cause: std::io::Error| Error::storage(&format!("cannot lock `{}`", file.display()), cause);
    let owner = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(file)
        .map_err(failed)?;
    match owner.try_lock() {
        Ok(()) => Ok(owner),
        Err(TryLockError::WouldBlock) => Err(Error::Conflict(format!(
            "another portolan uses the data folder of `{}`; wait for it, stop it, or name another one with --data DIR",
            file.display()
        ))),
        Err(TryLockError::Error(cause)) => Err(failed(cause)),
    }
}

/// Tells a database of another version from one that cannot be written.
fn migration_failure(file: &Path, cause: MigrateError) -> Error {
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    let file = file.display();
    match cause {
        MigrateError::VersionMissing(version) => Error::Conflict(format!(
            "the database `{file}` has schema {version}, this portolan knows schema {known}; \
             start the newer portolan that wrote it, or restore a backup made before the upgrade"
        )),
        MigrateError::VersionMismatch(version) => Error::Conflict(format!(
            "schema {version} of the database `{file}` differs from the one this portolan knows; \
             start the portolan that wrote it, or restore a backup"
        )),
        other => Error::storage(&format!("cannot bring the database `{file}` up to date"), other),
    }
}

/// Milliseconds since 1970 in UTC.
fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as i64)
}

/// A new id; ids sort by the time they were made.
fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// For `map_err`: a failed statement, with what it was for.
fn failed(what: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |cause| Error::storage(what, cause)
}
