use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use flate2::read::GzDecoder;

use super::backups::with_suffix;
use super::*;

/// 2026-11-21T04:00:00Z
const START: i64 = 1_795_233_600;

/// A clock that tests move: seconds since [`START`].
#[derive(Clone, Default)]
struct Time(Arc<AtomicI64>);

impl Time {
    fn forward(&self, by: TimeDelta) {
        self.0.fetch_add(by.num_seconds(), Ordering::SeqCst);
    }

    fn open(&self, path: &Path, rotation: Rotation) -> Roller {
        let seconds = self.0.clone();
        let now = move || DateTime::from_timestamp(START + seconds.load(Ordering::SeqCst), 0).unwrap();
        Roller::open(path, rotation, now).unwrap()
    }
}

fn rotation(max_size: u64) -> Rotation {
    Rotation { max_size, max_age: None, max_backups: None, compress: false }
}

impl Roller {
    /// Waits until the backups are as they should be.
    fn settle(&self) {
        self.tidying.settled(Duration::from_mins(1));
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn unpacked(file: &Path) -> String {
    let mut text = String::new();
    GzDecoder::new(File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn it_rotates_before_the_limit_and_never_splits_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.log");
    let mut roller = Time::default().open(&path, rotation(10));
    for line in ["one\n", "two\n", "three\n", "a line beyond the limit\n", "four\n"] {
        roller.append(line.as_bytes()).unwrap();
    }
    let texts: Vec<_> = names_in(folder.path())
        .iter()
        .map(|name| fs::read_to_string(folder.path().join(name)).unwrap())
        .collect();
    assert_eq!(texts, ["one\ntwo\n", "three\n", "a line beyond the limit\n", "four\n"]);
    assert_eq!(
        names_in(folder.path()),
        [
            "server-20261121T040000.000Z.log",
            "server-20261121T040000.001Z.log",
            "server-20261121T040000.002Z.log",
            "server.log",
        ]
    );
}

#[test]
fn it_goes_on_in_the_file_of_an_earlier_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.log");
    fs::write(&path, "earlier\n").unwrap();
    let mut roller = Time::default().open(&path, rotation(20));
    roller.append(b"later\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "earlier\nlater\n");
    roller.append(b"rotated\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "rotated\n");
}

#[test]
fn backups_are_compressed_whole_and_nothing_unfinished_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.log");
    let left_over = folder.path().join("server-20261120T000000.000Z.log");
    fs::write(&left_over, "from a run that was killed\n").unwrap();
    fs::write(with_suffix(&left_over, ".gz.tmp"), "half").unwrap();
    let mut roller = Time::default().open(&path, Rotation { compress: true, ..rotation(8) });
    roller.append(b"first\n").unwrap();
    roller.append(b"second\n").unwrap();
    roller.settle();
    assert_eq!(
        names_in(folder.path()),
        ["server-20261120T000000.000Z.log.gz", "server-20261121T040000.000Z.log.gz", "server.log"]
    );
    assert_eq!(unpacked(&with_suffix(&left_over, ".gz")), "from a run that was killed\n");
    assert_eq!(unpacked(&folder.path().join("server-20261121T040000.000Z.log.gz")), "first\n");
}

#[test]
fn backups_are_removed_by_number_and_by_age_and_other_files_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.log");
    let others =
        ["server-audit.log", "server-notes.log.gz", "other-20200101T000000.000Z.log", "server.log.bak"];
    for name in others {
        fs::write(folder.path().join(name), "not ours\n").unwrap();
    }
    let time = Time::default();
    let limits =
        Rotation { max_age: Some(TimeDelta::days(3)), max_backups: Some(2), compress: true, ..rotation(4) };
    let mut roller = time.open(&path, limits.clone());
    for _ in 0..5 {
        roller.append(b"day\n").unwrap();
        time.forward(TimeDelta::days(1));
    }
    let backups = || {
        names_in(folder.path()).into_iter().filter(|name| name.starts_with("server-2026")).collect::<Vec<_>>()
    };
    roller.settle();
    assert_eq!(backups(), ["server-20261124T040000.000Z.log.gz", "server-20261125T040000.000Z.log.gz"]);
    drop(roller);

    time.forward(TimeDelta::days(3));
    let roller = time.open(&path, limits);
    roller.settle();
    assert_eq!(backups(), Vec::<String>::new(), "age is checked at start as well");
    drop(roller);
    for name in others {
        assert!(folder.path().join(name).exists(), "{name}");
    }
}

#[test]
fn a_deleted_folder_is_made_again_and_a_moved_file_is_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/server.log");
    let mut roller = Time::default().open(&path, rotation(1000));
    roller.append(b"one\n").unwrap();
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    roller.append(b"two\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    fs::rename(&path, path.with_extension("moved")).unwrap();
    roller.append(b"three\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
}

#[test]
fn a_path_that_cannot_be_written_is_an_error_each_time_and_heals() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/server.log");
    let mut roller = Time::default().open(&path, rotation(1000));
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path.parent().unwrap(), "a file in the way").unwrap();
    assert!(roller.append(b"lost\n").is_err());
    assert!(roller.append(b"lost\n").is_err());
    fs::remove_file(path.parent().unwrap()).unwrap();
    roller.append(b"back\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "back\n");
}

#[test]
fn a_file_that_is_cut_is_filled_from_its_beginning_and_counted_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.log");
    let mut roller = Time::default().open(&path, rotation(16));
    roller.append(b"one\n").unwrap();
    roller.append(b"two\n").unwrap();
    // As `> server.log` does, and logrotate's copytruncate.
    fs::write(&path, "").unwrap();
    for line in ["three\n", "four\n", "five\n"] {
        roller.append(line.as_bytes()).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "three\nfour\nfive\n");
    assert_eq!(names_in(folder.path()), ["server.log"], "it isn't full yet");
    roller.append(b"six\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "six\n");
}

#[test]
fn what_somebody_else_writes_into_the_file_counts_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.log");
    let mut roller = Time::default().open(&path, rotation(16));
    roller.append(b"one\n").unwrap();
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"a foreign line\n").unwrap();
    roller.append(b"two\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
}

#[test]
fn a_moved_file_gets_the_lines_until_a_new_one_can_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.log");
    let moved = folder.path().join("server.log.1");
    let mut roller = Time::default().open(&path, rotation(1000));
    roller.append(b"one\n").unwrap();
    fs::rename(&path, &moved).unwrap();
    fs::create_dir(&path).unwrap();
    roller.append(b"two\n").unwrap();
    fs::remove_dir(&path).unwrap();
    roller.append(b"three\n").unwrap();
    assert_eq!(fs::read_to_string(&moved).unwrap(), "one\ntwo\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
}

#[test]
fn a_full_disk_is_an_error_and_not_a_panic_and_no_half_line_stays() {
    let full = Path::new("/dev/full");
    if full.exists() {
        assert!(Open::at(full).unwrap().append(b"lost\n").is_err());
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.log");
    fs::write(&path, "one\nhalf a li").unwrap();
    // Can't be written, but is a file: what a failed write leaves is cut off, and no more than there is.
    let mut open = Open::at(&path).unwrap();
    open.size = 4;
    open.cut_half_line();
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
    open.size = 100;
    open.cut_half_line();
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
}

#[test]
fn a_pipe_is_opened_without_a_reader_and_stays_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let mut roller = Time::default().open(&path, rotation(4));
    for line in ["one\n", "two\n", "three\n"] {
        roller.append(line.as_bytes()).unwrap();
    }
    assert_eq!(names_in(folder.path()), ["pipe"]);
    let mut text = [0; 14];
    File::open(&path).unwrap().read_exact(&mut text).unwrap();
    assert_eq!(&text, b"one\ntwo\nthree\n");
}

#[test]
fn others_cannot_read_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/server.log");
    let mut roller = Time::default().open(&path, Rotation { compress: true, ..rotation(4) });
    roller.append(b"one\n").unwrap();
    roller.append(b"two\n").unwrap();
    roller.settle();
    for name in names_in(path.parent().unwrap()) {
        let mode = fs::metadata(path.with_file_name(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o137, 0, "{name} has mode {mode:o}");
    }
}
