//! Rules about who else can read or change the configuration's files.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{Facts, warn_if};
use crate::config::{Credentials, PrivateKeySource, TokenSource};

/// The bits of a mode that let others than the owner read or change a file.
const GROUP_READS: u32 = 0o040;
const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;
const PERMISSIONS: u32 = 0o777;

/// Who the process is.
pub(super) struct Account {
    pub(super) user: u32,
    pub(super) groups: Vec<u32>,
}

impl Account {
    fn own() -> Self {
        let groups = rustix::process::getgroups().unwrap_or_default();
        let groups = groups.into_iter().chain([rustix::process::getegid()]).map(rustix::process::Gid::as_raw);
        Self { user: rustix::process::geteuid().as_raw(), groups: groups.collect() }
    }
}

pub(super) fn private_key(facts: &Facts<'_>) -> Vec<String> {
    match &facts.config.credentials {
        Credentials::App { private_key: PrivateKeySource::File(path), .. } => secret("privateKeyFile", path),
        _ => Vec::new(),
    }
}

pub(super) fn token(facts: &Facts<'_>) -> Vec<String> {
    match &facts.config.credentials {
        Credentials::Token(TokenSource::File(path)) => secret("tokenFile", path),
        _ => Vec::new(),
    }
}

pub(super) fn inline_key(facts: &Facts<'_>) -> Vec<String> {
    inline(facts, "privateKey")
}

pub(super) fn inline_token(facts: &Facts<'_>) -> Vec<String> {
    inline(facts, "token")
}

pub(super) fn certificate_key(facts: &Facts<'_>) -> Vec<String> {
    let files = facts.config.server.tls.files.as_ref();
    files.map_or_else(Vec::new, |files| secret("server.tls.keyFile", &files.key))
}

pub(super) fn certificate(facts: &Facts<'_>) -> Vec<String> {
    let files = facts.config.server.tls.files.as_ref();
    files.map_or_else(Vec::new, |files| changeable("server.tls.certFile", &files.certificate))
}

pub(super) fn authorities(facts: &Facts<'_>) -> Vec<String> {
    let file = facts.config.github.ca_file.as_deref();
    file.map_or_else(Vec::new, |file| changeable("github.caFile", file))
}

pub(super) fn configuration(facts: &Facts<'_>) -> Vec<String> {
    let file = facts.loaded.surroundings.file.as_deref();
    file.map_or_else(Vec::new, |file| changeable("the configuration", file))
}

/// A secret in the configuration's own file.
fn inline(facts: &Facts<'_>, key: &str) -> Vec<String> {
    match &facts.loaded.surroundings.file {
        Some(file) if facts.is_inline(key) => {
            readable(&format!("the configuration, which holds {key},"), file)
        }
        _ => Vec::new(),
    }
}

pub(super) fn secret(key: &str, path: &Path) -> Vec<String> {
    let mut found = readable(key, path);
    found.extend(changeable(key, path));
    found
}

pub(super) fn readable(what: &str, path: &Path) -> Vec<String> {
    let Ok(metadata) = std::fs::metadata(path) else { return Vec::new() };
    let mode = metadata.mode() & PERMISSIONS;
    let readers = readers(&Access::of(&metadata), &Account::own());
    let sentence = |readers: &str| {
        format!("{what} can be read by {readers} (mode {mode:04o}): {}; use chmod 0600", path.display())
    };
    readers.map(sentence).into_iter().collect()
}

pub(super) fn changeable(what: &str, path: &Path) -> Vec<String> {
    let Ok(metadata) = std::fs::metadata(path) else { return Vec::new() };
    let mode = metadata.mode() & PERMISSIONS;
    warn_if(metadata.is_file() && mode & OTHERS_WRITE != 0, || {
        format!("{what} can be changed by every user of this host (mode {mode:04o}): {}", path.display())
    })
}

/// Whose a file is, and who may read it.
pub(super) struct Access {
    pub(super) mode: u32,
    pub(super) owner: u32,
    pub(super) group: u32,
}

impl Access {
    fn of(metadata: &Metadata) -> Self {
        // A device, or a pipe that a shell passes a secret through, keeps nothing.
        let mode = if metadata.is_file() { metadata.mode() } else { 0 };
        Self { mode, owner: metadata.uid(), group: metadata.gid() }
    }
}

/// Who can read a secret without need. A group is needed if the service itself reads the file through it: the file belongs
/// to another user (to root, as with the systemd unit and with Kubernetes), or root examines a file of the service.
pub(super) fn readers(file: &Access, us: &Account) -> Option<&'static str> {
    const ROOT: u32 = 0;
    let read_through_group = file.owner != us.user && us.groups.contains(&file.group);
    let prepared_by_root = file.owner == ROOT && us.user == ROOT && file.group != ROOT;
    if file.mode & OTHERS_READ != 0 {
        Some("every user of this host")
    } else if file.mode & GROUP_READS != 0 && !read_through_group && !prepared_by_root {
        Some("its group")
    } else {
        None
    }
}
