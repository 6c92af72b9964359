//! A log file that is rotated by size. What else somebody does to it, this notices: it may be cut, moved or removed.

mod backups;

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use self::backups::Backups;
pub(super) use self::backups::Tidying;

use super::folders;

/// When to rotate, and what to keep.
#[derive(Debug, Clone)]
pub(super) struct Rotation {
    /// Rotated before a write would make the file larger, in bytes. A line is never split.
    pub(super) max_size: u64,
    /// Backups older than this are removed.
    pub(super) max_age: Option<TimeDelta>,
    /// More backups than this are removed, the oldest first.
    pub(super) max_backups: Option<usize>,
    pub(super) compress: bool,
}

/// Tells the time; tests move it.
type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// The file. A line is written whole or not at all.
pub(super) struct Roller {
    path: PathBuf,
    max_size: u64,
    now: Now,
    open: Option<Open>,
    backups: Backups,
    tidying: Arc<Tidying>,
}

struct Open {
    file: File,
    size: u64,
    /// Device and inode, to notice that the file was moved or deleted.
    identity: (u64, u64),
    /// A pipe or a device has no size, and must stay where it is.
    is_file: bool,
}

/// Others than owner and group have no business in a log.
const FILE_MODE: u32 = 0o640;

impl Roller {
    /// Opens the file for appending, and tidies the backups that are there.
    pub(super) fn open(
        path: &Path,
        rotation: Rotation,
        now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let open = Some(Open::at(path)?);
        let (max_size, now): (_, Now) = (rotation.max_size, Arc::new(now));
        let backups = Backups::new(path.to_owned(), rotation, now.clone());
        let roller = Self { path: path.to_owned(), max_size, now, open, backups, tidying: Arc::default() };
        roller.tidy();
        Ok(roller)
    }

    /// Adds a line, in a new file if it doesn't fit into this one.
    pub(super) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let max_size = self.max_size;
        let open = self.current()?;
        if open.is_file && open.size > 0 && open.size + line.len() as u64 > max_size {
            // Rather a file too large than a line lost.
            let _ = self.rotate();
            return self.current()?.append(line);
        }
        open.append(line)
    }

    /// What tells when backups are as they should be.
    pub(super) fn tidying(&self) -> Arc<Tidying> {
        self.tidying.clone()
    }

    /// The open file as it is now; another one if it was moved or deleted meanwhile.
    fn current(&mut self) -> io::Result<&mut Open> {
        let on_disk = fs::metadata(&self.path).ok();
        let current = match (self.open.take(), on_disk) {
            (Some(mut open), Some(now)) if identity_of(&now) == open.identity => {
                // Somebody may have cut it.
                open.size = now.len();
                open
            }
            (old, _) => match (Open::at(&self.path), old) {
                (Ok(new), _) => new,
                // Better in the moved file than nowhere.
                (Err(_), Some(old)) if old.is_somewhere() => old,
                (Err(cause), _) => return Err(cause),
            },
        };
        Ok(self.open.insert(current))
    }

    /// Moves the full file aside and starts an empty one.
    fn rotate(&mut self) -> io::Result<()> {
        let backup = self.backups.next((self.now)());
        fs::rename(&self.path, &backup)?;
        self.open = Some(Open::at(&self.path)?);
        self.tidy();
        Ok(())
    }

    /// Beside the writing, since compressing takes a while.
    fn tidy(&self) {
        self.tidying.start(&self.backups);
    }
}

impl Open {
    fn at(path: &Path) -> io::Result<Self> {
        folders::make(folders::folder_of(path))?;
        folders::expect_file(path)?;
        let is_pipe = fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo());
        let mut options = OpenOptions::new();
        if is_pipe {
            // With a reader of its own, else opening it would wait for one.
            options.read(true).write(true);
        } else {
            options.create(true).append(true).mode(FILE_MODE);
        }
        let file = options.open(path)?;
        let metadata = file.metadata()?;
        let (size, identity) = (metadata.len(), identity_of(&metadata));
        Ok(Self { file, size, identity, is_file: metadata.is_file() })
    }

    /// Whether the file has a name yet.
    fn is_somewhere(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| metadata.nlink() > 0)
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let outcome = self.file.write_all(line);
        if outcome.is_ok() {
            self.size += line.len() as u64;
        } else {
            self.cut_half_line();
        }
        outcome
    }

    /// A full disk leaves half a line, which would spoil the next one as well. The file never grows for it: what
    /// somebody cut meanwhile would come back as zeros.
    fn cut_half_line(&self) {
        if self.file.metadata().is_ok_and(|now| now.is_file() && now.len() > self.size) {
            let _ = self.file.set_len(self.size);
        }
    }
}

fn identity_of(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests;
