//! Rules about the store.

use std::path::Path;

use super::files::{changeable, readable, secret};
use super::{Facts, warn_if};
use crate::config::origin::Source;
use crate::domain::store_url::StoreUrl;

/// File systems on which several hosts may have one file open, by the magic numbers of `statfs`. On these neither a lock
/// nor SQLite's shared memory is to be relied on. Amazon's EFS is NFS.
const NETWORK_FILE_SYSTEMS: [(u64, &str); 14] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFE53_4D42, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0x6573_5546, "FUSE"),
    (0x0102_1997, "9P"),
    (0x00C3_6400, "Ceph"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x0116_1970, "GFS2"),
    (0x7461_636F, "OCFS2"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
];

pub(super) fn on_a_network(facts: &Facts<'_>) -> Vec<String> {
    let file = facts.config.store.url.as_ref().and_then(StoreUrl::file);
    let kind = file.and_then(|file| Some((file, network_file_system(file)?)));
    let sentence = |(file, kind): (&Path, &str)| {
        format!(
            "store.url is a file on {kind}, where SQLite's locks can't be relied on: {}; use a local disk, or PostgreSQL",
            file.display()
        )
    };
    kind.map(sentence).into_iter().collect()
}

/// The kind of network file system that a file is on, or would be.
fn network_file_system(file: &Path) -> Option<&'static str> {
    let found = file.ancestors().find_map(|path| rustix::fs::statfs(path).ok())?;
    kind_of(found.f_type)
}

/// The kernel's numbers have 32 bits, in a field that may be wider and have a sign.
fn kind_of<N: TryInto<i128>>(number: N) -> Option<&'static str> {
    let number = number.try_into().ok()? & 0xFFFF_FFFF;
    NETWORK_FILE_SYSTEMS.iter().find(|(magic, _)| i128::from(*magic) == number).map(|(_, kind)| *kind)
}

pub(super) fn inline_password(facts: &Facts<'_>) -> Vec<String> {
    let password = facts.config.store.url.as_ref().and_then(StoreUrl::postgres);
    let is_inline = password.is_some_and(|url| url.password.is_some());
    let mut found = warn_if(is_inline, || {
        "store.url holds the password of the database, which can't be replaced without a restart; use store.passwordFile"
            .to_owned()
    });
    if is_inline && facts.config.store.password_file.is_some() {
        found.push("store.url holds a password: store.passwordFile is not read".to_owned());
    }
    if let Some(file) =
        facts.loaded.surroundings.file.as_ref().filter(|_| is_inline && facts.is_inline("store.url"))
    {
        found.extend(readable("the configuration, which holds the password of store.url,", file));
    }
    found
}

pub(super) fn in_memory(facts: &Facts<'_>) -> Vec<String> {
    warn_if(facts.config.store.url == Some(StoreUrl::Memory), || {
        "store.url is sqlite::memory: whose group is whose is forgotten when the service ends; that is for trials"
            .to_owned()
    })
}

pub(super) fn password_file(facts: &Facts<'_>) -> Vec<String> {
    let store = &facts.config.store;
    let file = store.password_file.as_deref().filter(|_| is_postgres(facts));
    file.map_or_else(Vec::new, |file| secret("store.passwordFile", file))
}

pub(super) fn authorities(facts: &Facts<'_>) -> Vec<String> {
    let file = facts.config.store.ca_file.as_deref().filter(|_| is_postgres(facts));
    file.map_or_else(Vec::new, |file| changeable("store.caFile", file))
}

/// A setting of the store that has no effect.
pub(super) fn unused(facts: &Facts<'_>, key: &str) -> Vec<String> {
    let is_set = facts.loaded.setting(key).is_some_and(|setting| setting.source != Source::Default);
    let is_default =
        facts.loaded.setting(key).is_some_and(|setting| DEFAULTS.contains(&(key, &setting.value)));
    let only_postgres = matches!(key, "store.passwordFile" | "store.caFile");
    match &facts.config.store.url {
        _ if !is_set || is_default => Vec::new(),
        None => vec![format!("{key} has no effect, since store.url is not set: there is no store")],
        Some(_) if only_postgres && !is_postgres(facts) => {
            vec![format!("{key} has no effect, since the store of store.url is not on a server")]
        }
        Some(_) => Vec::new(),
    }
}

/// What the example states, which nobody who copies it has to be told of.
const DEFAULTS: [(&str, &str); 3] =
    [("store.grace", "10m"), ("store.keep", "90d"), ("store.mostEvents", "5000000")];

fn is_postgres(facts: &Facts<'_>) -> bool {
    matches!(facts.config.store.url, Some(StoreUrl::Postgres(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_is_known_by_its_number_whatever_the_width_of_the_field() {
        assert_eq!(kind_of(0x6969_i64), Some("NFS"));
        assert_eq!(kind_of(0xFF53_4D42_u32), Some("CIFS"));
        // As a field of 32 bits with a sign has it, widened or not.
        assert_eq!(kind_of(-11_317_950_i32), Some("CIFS"));
        assert_eq!(kind_of(i64::from(-11_317_950_i32)), Some("CIFS"));
        for local in [0xEF53_i64, 0x5846_5342, 0x0102_1994, 0x9123_683E, 0x794C_7630] {
            assert_eq!(kind_of(local), None, "{local:x}");
        }
    }

    #[test]
    fn a_file_that_does_not_exist_yet_is_where_its_folder_is() {
        let folder = tempfile::tempdir().unwrap();
        let here = network_file_system(folder.path());
        assert_eq!(network_file_system(&folder.path().join("deep/deeper/state.db")), here);
    }
}
