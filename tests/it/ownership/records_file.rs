//! `records export` and `records import`: the records as a file, while the service is stopped.

use serde_json::{Value, json};

use crate::binary::run;
use crate::process::Service;
use crate::scene::{acme, acme_with_groups};

#[tokio::test]
async fn records_are_written_to_a_file_and_read_from_one() {
    let (world, cast, group) = acme_with_groups();
    let service = Service::with(world, json!({})).await;
    service.call("GET", "group-list?team=payments", &cast.ada).await.response();
    // One process a file.
    let busy = run(&["records", "export"], &[], service.folder.path()).await;
    assert_eq!(busy.code, 1, "{busy:?}");
    assert!(busy.stderr.contains("in use by another process"), "{}", busy.stderr);
    service.stop().await;
    let export = run(&["records", "export"], &[], service.folder.path()).await;
    assert_eq!(export.code, 0, "{export:?}");
    assert!(export.stdout.contains(&format!("team: {}", cast.payments.0)), "{}", export.stdout);
    assert!(export.stdout.contains(&format!("group: {}", group.0)), "{}", export.stdout);
    // Into the store of another service.
    let other = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(service.path("config.yml")).unwrap();
    let folder = |path: &std::path::Path| path.display().to_string();
    std::fs::copy(service.path("key.pem"), other.path().join("key.pem")).unwrap();
    let text = text.replace(&folder(service.folder.path()), &folder(other.path()));
    std::fs::write(other.path().join("config.yml"), text).unwrap();
    std::fs::write(other.path().join("records.yml"), &export.stdout).unwrap();
    for expected in
        ["2 records were added, 0 were there already", "0 records were added, 2 were there already"]
    {
        let import = run(&["records", "import", "records.yml"], &[], other.path()).await;
        assert_eq!((import.code, import.stdout.as_str()), (0, expected), "{import:?}");
    }
    let again = run(&["records", "export"], &[], other.path()).await;
    assert_eq!(again.stdout, export.stdout);
}

#[tokio::test]
async fn a_record_survives_a_restart() {
    let (world, cast) = acme();
    let service = Service::with(world, json!({})).await;
    service.call("POST", "group-add?team=payments", &cast.ada).await.response();
    service.stop().await;
    let export = run(&["records", "export"], &[], service.folder.path()).await;
    let group = service.fake.world(|world| world.group_by_name("payments").unwrap().id);
    assert!(export.stdout.contains(&format!("group: {}", group.0)), "{}", export.stdout);
}

#[tokio::test]
async fn a_file_that_is_wrong_is_refused_as_a_whole_with_what_is_wrong() {
    let service = Service::with(acme().0, json!({})).await;
    service.stop().await;
    for (text, expected) in [
        ("records: [{team: 7, group: 12}, {team: 7, group: 13}]", "team 7 has group 12"),
        ("records: [{team: 7, group: 12}, {team: 8, group: 12}]", "group 12"),
        ("records: [{team: seven, group: 12}]", "records[0].team"),
        ("records: [{team: 7}]", "missing field `group`"),
        ("record: []", "unknown field `record`"),
        ("[]", "the records can't be read"),
    ] {
        std::fs::write(service.path("records.yml"), text).unwrap();
        let import = run(&["records", "import", "records.yml"], &[], service.folder.path()).await;
        assert!(import.code > 0 && import.stderr.contains(expected), "{text}: {import:?}");
    }
    let export = run(&["records", "export"], &[], service.folder.path()).await;
    assert_eq!(export.stdout, "records: []");
    let missing = run(&["records", "import", "nowhere.yml"], &[], service.folder.path()).await;
    assert!(missing.code == 2 && missing.stderr.contains("nowhere.yml"), "{missing:?}");
}

#[tokio::test]
async fn without_a_store_there_are_no_records() {
    let extra: Value = json!({ "store": { "url": "" }, "groups": { "enabled": false } });
    let service = Service::with(acme().0, extra).await;
    service.stop().await;
    let export = run(&["records", "export"], &[], service.folder.path()).await;
    assert!(export.code == 1 && export.stderr.contains("store.url is not set"), "{export:?}");
}
