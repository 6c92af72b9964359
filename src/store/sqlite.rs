//! The store in a file or in memory, by SQLite.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, access};
use sqlx::ConnectOptions;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use super::database::Pools;
use super::error::OpenError;

/// Connections that read while another one writes.
const READERS: u32 = 3;
/// How long is waited for a program that looks at the file, such as one that makes a backup.
const BUSY: Duration = Duration::from_secs(5);
/// How long is waited for a connection.
const ACQUIRE: Duration = Duration::from_secs(4);
/// How often, and for how long each time, it is waited for the lock at the start.
const LOCK_WAITS: u32 = 20;
const LOCK_WAIT: Duration = Duration::from_millis(50);
/// What every database of SQLite begins with.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// Nobody but the service has to read it.
const MODE: u32 = 0o600;

/// Takes the file for this process, making it if there is none.
pub(super) fn open(file: &Path) -> Result<(Pools, File), OpenError> {
    let lock = lock(file)?;
    // SQLite would make it readable to all.
    make(file).map_err(|cause| failed("open", file, &cause))?;
    let common = SqliteConnectOptions::new().filename(file).busy_timeout(BUSY).disable_statement_logging();
    let writer = common
        .clone()
        .journal_mode(SqliteJournalMode::Wal)
        // A commit that was acknowledged outlives a loss of power.
        .synchronous(SqliteSynchronous::Full);
    let readers = common.pragma("query_only", "ON");
    let pools = Pools::Sqlite { writer: pool(1, writer), readers: pool(READERS, readers) };
    Ok((pools, lock))
}

/// A database that is gone with its only connection, which is therefore never ended.
pub(super) fn in_memory() -> Pools {
    let options = SqliteConnectOptions::new().in_memory(true).disable_statement_logging();
    let writer = pool(1, options);
    Pools::Sqlite { readers: writer.clone(), writer }
}

fn pool(connections: u32, options: SqliteConnectOptions) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(None)
        .max_lifetime(None)
        // A file does not go away, and asking would be another word to SQLite's thread.
        .test_before_acquire(false)
        .after_release(|connection, _| {
            Box::pin(async {
                // Fails if there is no transaction any more, which is as good.
                let _ = sqlx::raw_sql("ROLLBACK").execute(connection).await;
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}

/// Keeps other processes from the file. The system lets go of it when the process ends, however it ends.
fn lock(file: &Path) -> Result<File, OpenError> {
    let path = lock_file(file);
    let opened = make(&path).map_err(|cause| failed("open", &path, &cause))?;
    let mut waits = LOCK_WAITS;
    loop {
        match opened.try_lock() {
            Ok(()) => return Ok(opened),
            // Somebody may only be looking whether it is in use, or a program that was just started still shares the lock of
            // whoever started it.
            Err(TryLockError::WouldBlock) if waits > 0 => std::thread::sleep(LOCK_WAIT),
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { file: file.to_owned() }),
            Err(TryLockError::Error(cause)) => return Err(failed("lock", &path, &cause)),
        }
        waits -= 1;
    }
}

fn lock_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn make(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(MODE).open(path)
}

fn failed(what: &'static str, file: &Path, cause: &std::io::Error) -> OpenError {
    OpenError::File { what, file: file.to_owned(), reason: cause.to_string() }
}

/// Whether the file can be opened, or made, as [`Store::open`](super::Store::open) would; leaves no trace. May block.
///
/// # Errors
/// What would fail.
pub fn check_file(file: &Path) -> Result<(), OpenError> {
    let folder = file.parent().unwrap_or_else(|| Path::new("/"));
    if !folder.is_dir() {
        let reason = format!("the folder {} does not exist; create it first", folder.display());
        return Err(OpenError::File { what: "open", file: file.to_owned(), reason });
    }
    // Other files are made beside it, whether or not it is there.
    access(folder, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|cause| failed("make files in", folder, &cause.into()))?;
    if !file.exists() {
        return Ok(());
    }
    let opened = OpenOptions::new().read(true).write(true).open(file);
    let mut start = Vec::new();
    opened
        .and_then(|opened| opened.take(MAGIC.len() as u64).read_to_end(&mut start))
        .map_err(|cause| failed("open", file, &cause))?;
    // A file that is empty becomes a database.
    if start.is_empty() || start == MAGIC {
        Ok(())
    } else {
        Err(OpenError::NotAStore { file: file.to_owned(), reason: "it is no database of SQLite".to_owned() })
    }
}

/// Whether a process has the file as its store; leaves no trace. May block.
pub fn is_in_use(file: &Path) -> bool {
    let opened = OpenOptions::new().read(true).open(lock_file(file));
    opened.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}
