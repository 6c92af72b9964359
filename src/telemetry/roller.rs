//! A log file that is rotated by size; its backups are compressed, and removed by age and number.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;

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

/// The file. One call of `write` is one line, written whole or not at all.
pub(super) struct Roller {
    path: PathBuf,
    rotation: Rotation,
    /// Tells the time; tests move it.
    now: Box<dyn Fn() -> DateTime<Utc> + Send>,
    open: Option<Open>,
}

struct Open {
    file: File,
    size: u64,
    /// Device and inode, to notice that the file was moved or deleted.
    identity: (u64, u64),
}

/// Others than owner and group have no business in a log.
const FILE_MODE: u32 = 0o640;
/// In a backup's name; sorts by time.
const STAMP: &str = "%Y%m%dT%H%M%S%.3fZ";
const PLAIN: &str = "";
const PACKED: &str = ".gz";
/// What is still being compressed; never taken for a backup.
const UNFINISHED: &str = ".gz.tmp";

impl Roller {
    /// Opens the file for appending, and tidies the backups that are there.
    pub(super) fn open(
        path: &Path,
        rotation: Rotation,
        now: impl Fn() -> DateTime<Utc> + Send + 'static,
    ) -> io::Result<Self> {
        let open = Some(Open::at(path)?);
        let roller = Self { path: path.to_owned(), rotation, now: Box::new(now), open };
        roller.tidy();
        Ok(roller)
    }

    /// The open file, opened anew if it was moved or deleted meanwhile.
    fn current(&mut self) -> io::Result<&mut Open> {
        let on_disk = fs::metadata(&self.path).map(|metadata| identity_of(&metadata)).ok();
        if let Some(open) = self.open.take_if(|open| on_disk == Some(open.identity)) {
            return Ok(self.open.insert(open));
        }
        Ok(self.open.insert(Open::at(&self.path)?))
    }

    /// Moves the full file aside and starts an empty one.
    fn rotate(&mut self) -> io::Result<()> {
        let mut stamp = (self.now)();
        let mut backup = self.backup_of(stamp);
        while backup.exists() || with_suffix(&backup, PACKED).exists() {
            stamp += TimeDelta::milliseconds(1);
            backup = self.backup_of(stamp);
        }
        fs::rename(&self.path, &backup)?;
        self.open = Some(Open::at(&self.path)?);
        self.tidy();
        Ok(())
    }

    fn backup_of(&self, stamp: DateTime<Utc>) -> PathBuf {
        self.path.with_file_name(format!("{}{}{}", self.stem(), stamp.format(STAMP), self.extension()))
    }

    /// What the names of backups start with.
    fn stem(&self) -> String {
        format!("{}-", self.path.file_stem().unwrap_or_default().to_string_lossy())
    }

    /// The file's own extension, with its dot.
    fn extension(&self) -> String {
        self.path.extension().map(|extension| format!(".{}", extension.to_string_lossy())).unwrap_or_default()
    }

    /// Finishes what an earlier run left, compresses, and removes what is too old or too much. Whatever
    /// fails is tried again at the next rotation: no line may be lost for it.
    fn tidy(&self) {
        for (file, _) in self.backups(UNFINISHED) {
            let _ = fs::remove_file(file);
        }
        if self.rotation.compress {
            for (file, _) in self.backups(PLAIN) {
                let _ = compress(&file);
            }
        }
        let mut backups = self.backups(PACKED);
        backups.extend(self.backups(PLAIN));
        backups.sort_by_key(|(_, stamp)| std::cmp::Reverse(*stamp));
        let oldest = self.rotation.max_age.and_then(|age| (self.now)().checked_sub_signed(age));
        for (index, (file, stamp)) in backups.iter().enumerate() {
            let too_many = self.rotation.max_backups.is_some_and(|most| index >= most);
            if too_many || oldest.is_some_and(|oldest| *stamp < oldest) {
                let _ = fs::remove_file(file);
            }
        }
    }

    /// The backups with this suffix behind the file's own, and the times in their names.
    fn backups(&self, suffix: &str) -> Vec<(PathBuf, DateTime<Utc>)> {
        let Ok(entries) = fs::read_dir(folder_of(&self.path)) else { return Vec::new() };
        let (stem, tail) = (self.stem(), self.extension() + suffix);
        let stamp_of = |name: &str| {
            let stamp = name.strip_prefix(&stem)?.strip_suffix(&tail)?;
            NaiveDateTime::parse_from_str(stamp, STAMP).ok().map(|stamp| stamp.and_utc())
        };
        let named = |entry: fs::DirEntry| Some((entry.path(), stamp_of(entry.file_name().to_str()?)?));
        entries.flatten().filter_map(named).collect()
    }
}

impl Write for Roller {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let max_size = self.rotation.max_size;
        let size = self.current()?.size;
        // Rather a file too large than a line lost.
        if size > 0 && size + line.len() as u64 > max_size {
            let _ = self.rotate();
        }
        self.current()?.append(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Open {
    fn at(path: &Path) -> io::Result<Self> {
        folders::make(folder_of(path))?;
        folders::expect_plain(path)?;
        let file = OpenOptions::new().create(true).append(true).mode(FILE_MODE).open(path)?;
        let metadata = file.metadata()?;
        Ok(Self { file, size: metadata.len(), identity: identity_of(&metadata) })
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        match self.file.write_all(line) {
            Ok(()) => self.size += line.len() as u64,
            Err(cause) => {
                // A full disk leaves half a line, which would spoil the next one as well.
                let _ = self.file.set_len(self.size);
                return Err(cause);
            }
        }
        Ok(())
    }
}

fn identity_of(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Replaces a file by its compressed form, which appears only when it is whole and on the disk.
fn compress(file: &Path) -> io::Result<()> {
    let unfinished = with_suffix(file, UNFINISHED);
    let outcome = pack(file, &unfinished).and_then(|()| fs::rename(&unfinished, with_suffix(file, PACKED)));
    match outcome {
        Ok(()) => fs::remove_file(file),
        Err(cause) => {
            let _ = fs::remove_file(&unfinished);
            Err(cause)
        }
    }
}

fn pack(from: &Path, to: &Path) -> io::Result<()> {
    let target = OpenOptions::new().create(true).write(true).truncate(true).mode(FILE_MODE).open(to)?;
    let mut encoder = GzEncoder::new(target, Compression::default());
    io::copy(&mut File::open(from)?, &mut encoder)?;
    encoder.finish()?.sync_all()
}

#[cfg(test)]
mod tests;
