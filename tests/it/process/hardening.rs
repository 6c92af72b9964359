//! Memory that holds keys and tokens is written nowhere, and read by no other process of the same user.
#![cfg(target_os = "linux")]

use std::ffi::OsStr;
use std::fs::{Permissions, metadata, read_to_string, set_permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use serde_json::json;

use crate::binary::Binary;
use crate::harness;
use crate::scene::acme;

/// Somebody without rights, for when the tests have all of them.
const NOBODY: u32 = 65_534;

fn assert_is_private(binary: &Binary) {
    let limits = read_to_string(binary.proc("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().rev().take(3).collect::<Vec<_>>(), ["bytes", "0", "0"], "{core}");
    let status = read_to_string(binary.proc("status")).unwrap();
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:\t")).unwrap();
    assert!(!user.starts_with("0\t"), "root's files look the same either way");
    // Only of a process that can't be dumped they belong to root instead of to its user.
    for file in ["environ", "maps", "mem"] {
        assert_eq!(metadata(binary.proc(file)).unwrap().uid(), 0, "{file}");
    }
}

fn user() -> Option<u32> {
    rustix::process::getuid().is_root().then_some(NOBODY)
}

#[tokio::test]
async fn neither_serving_nor_the_demo_can_be_dumped() {
    let folder = tempfile::tempdir().unwrap();
    set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let (world, _) = acme();
    let fake = harness::fake(world);
    let _ = harness::write_certificate(folder.path());
    let config = harness::configuration(folder.path(), &fake, &json!({}));
    std::fs::write(folder.path().join("config.yml"), config.to_string()).unwrap();
    let serving = Binary::start_as(user(), &["serve"], [], folder.path());
    serving.stdout.with("\"serving\"").await;
    assert_is_private(&serving);

    let temporary = [(OsStr::new("TMPDIR"), folder.path().as_os_str())];
    let demo = Binary::start_as(user(), &["demo", "--port", "0"], temporary, folder.path());
    demo.stdout.with("is serving").await;
    assert_is_private(&demo);
}
