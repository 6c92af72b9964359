//! The backups of a log file: compressed, and removed by age and number, by a thread that ends when that is done.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::super::folders::folder_of;
use super::{FILE_MODE, Now, Rotation};

/// In a backup's name; sorts by time.
const STAMP: &str = "%Y%m%dT%H%M%S%.3fZ";
const PLAIN: &str = "";
const PACKED: &str = ".gz";
/// What is still being compressed; never taken for a backup.
const UNFINISHED: &str = ".gz.tmp";

/// Which files are backups, and which of them are kept.
#[derive(Clone)]
pub(super) struct Backups {
    path: PathBuf,
    rotation: Rotation,
    now: Now,
}

/// Whether backups are being tidied.
#[derive(Default)]
pub(in crate::telemetry) struct Tidying {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    running: bool,
    /// Whether there is more to do than when it began.
    again: bool,
}

impl Tidying {
    /// Tidies in a thread of its own; one at a time.
    pub(super) fn start(self: &Arc<Self>, backups: &Backups) {
        let mut state = self.lock();
        if std::mem::replace(&mut state.running, true) {
            state.again = true;
            return;
        }
        let (this, backups) = (self.clone(), backups.clone());
        let spawned = thread::Builder::new().name("log-backups".to_owned()).spawn(move || {
            loop {
                backups.tidy();
                let mut state = this.lock();
                if !std::mem::take(&mut state.again) {
                    state.running = false;
                    this.ended.notify_all();
                    return;
                }
            }
        });
        // The next rotation tries again.
        state.running = spawned.is_ok();
    }

    /// Waits until backups are as they should be.
    pub(in crate::telemetry) fn settled(&self, at_most: Duration) {
        let _ = self.ended.wait_timeout_while(self.lock(), at_most, |state| state.running);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backups {
    pub(super) fn new(path: PathBuf, rotation: Rotation, now: Now) -> Self {
        Self { path, rotation, now }
    }

    /// What the next backup is called.
    pub(super) fn next(&self, mut stamp: DateTime<Utc>) -> PathBuf {
        loop {
            let backup = self.backup_of(stamp);
            if !backup.exists() && !with_suffix(&backup, PACKED).exists() {
                return backup;
            }
            stamp += TimeDelta::milliseconds(1);
        }
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

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
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
