//! The folders of log files: which are made, and whether a file could be written there.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt};
use std::path::Path;

/// The folder below `logging.logDirectory`, made whenever it is missing.
const OWN_FOLDER: &str = "actions-runner-manager";
/// Others than owner and group have no business in a log.
const DIRECTORY_MODE: u32 = 0o750;

pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the folder of a log file where it is missing.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    above(folder)?;
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(folder)
}

/// Checks that a log file could be opened and written, and leaves nothing behind.
///
/// # Errors
/// What the system said, or that a folder is missing.
pub fn check_log_file(file: &Path) -> io::Result<()> {
    expect_file(file)?;
    if std::fs::metadata(file).is_ok_and(|metadata| metadata.file_type().is_fifo()) {
        // Opening it would wait until somebody reads it.
        return Ok(());
    }
    if file.exists() {
        return OpenOptions::new().append(true).open(file).map(drop);
    }
    // A link to a file that will be made, in a folder that won't.
    let linked = std::fs::read_link(file).map(|target| folder_of(file).join(target));
    if let Some(folder) = linked.as_ref().ok().and_then(|target| target.parent()) {
        return tempfile::tempfile_in(folder).map(drop);
    }
    // A file without a name: also where root may do everything, a read-only file system says so.
    tempfile::tempfile_in(above(folder_of(file))?).map(drop)
}

/// Refuses what can't be written like a file.
pub(super) fn expect_file(file: &Path) -> io::Result<()> {
    let kind = match std::fs::metadata(file) {
        Ok(metadata) => metadata.file_type(),
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(()),
        Err(cause) => return Err(cause),
    };
    if kind.is_file() || kind.is_char_device() || kind.is_fifo() {
        return Ok(());
    }
    let found = if kind.is_dir() { "it is a directory" } else { "it is not a file" };
    Err(io::Error::new(ErrorKind::InvalidInput, found))
}

/// The folder in which a missing one would be made, or itself. Only one is made, and below it the service's own: a path that
/// is wrong in its beginning would otherwise become a tree that nobody looks into. None is made in `/`.
fn above(folder: &Path) -> io::Result<&Path> {
    if folder.is_dir() {
        return Ok(folder);
    }
    let upper = folder.parent().filter(|upper| !upper.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.file_name().is_some_and(|name| name == OWN_FOLDER) {
        return above(upper);
    }
    // Something else than a folder is in the way; the system says it best.
    if folder.exists() {
        return std::fs::read_dir(folder).map(|_| folder);
    }
    if upper.is_dir() && upper != Path::new("/") {
        return Ok(upper);
    }
    let missing = format!("the folder {} does not exist; create it first", folder.display());
    Err(io::Error::new(ErrorKind::NotFound, missing))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_check_leaves_nothing_behind_and_agrees_with_what_is_made() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::write(path("file"), "").unwrap();
        for name in ["server.log", "new/audit.log", "new/actions-runner-manager/server.log", "file"] {
            check_log_file(&path(name)).unwrap();
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "{name}");
        }
        for name in
            ["new/deep/audit.log", "new/deep/actions-runner-manager/server.log", "file/audit.log", "."]
        {
            let refused = check_log_file(&path(name)).unwrap_err();
            let made = make(path(name).parent().unwrap());
            assert!(made.is_err() || name == ".", "{name}: {refused}");
            assert!(!path("new").exists(), "{name}");
        }
        std::os::unix::fs::symlink("nowhere/server.log", path("link")).unwrap();
        assert!(check_log_file(&path("link")).is_err(), "the link's folder isn't made");
        make(&path("new/actions-runner-manager")).unwrap();
        assert!(path("new/actions-runner-manager").is_dir());
    }

    #[test]
    fn no_folder_is_made_at_the_root() {
        let file = Path::new("/no-such-folder-of-logs/audit.log");
        for refused in [check_log_file(file), make(file.parent().unwrap())] {
            let said = refused.unwrap_err().to_string();
            assert_eq!(said, "the folder /no-such-folder-of-logs does not exist; create it first");
        }
        assert!(make(Path::new("/no-such-folder-of-logs/actions-runner-manager")).is_err());
        assert!(!Path::new("/no-such-folder-of-logs").exists());
    }

    #[test]
    fn a_pipe_is_taken_without_waiting_for_a_reader() {
        let root = tempfile::tempdir().unwrap();
        let pipe = root.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        check_log_file(&pipe).unwrap();
        let socket = root.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert_eq!(check_log_file(&socket).unwrap_err().to_string(), "it is not a file");
    }
}
