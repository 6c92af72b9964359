use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use secrecy::ExposeSecret;

use super::*;

fn file_of(site: &Site) -> &Path {
    site.settings.url.file().unwrap()
}

async fn refused(site: &Site) -> OpenError {
    match Store::open(&site.settings, site.clock.clone()).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_file_is_one_store_s_at_a_time() {
    let site = Site::in_a_file();
    assert!(!is_in_use(file_of(&site)));
    let store = site.open().await;
    let error = refused(&site).await;
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    let said = error.to_string();
    assert!(
        said.contains(file_of(&site).to_str().unwrap()) && said.contains("in use by another process"),
        "{said}"
    );
    assert!(is_in_use(file_of(&site)));
    // The first one isn't disturbed.
    assert_eq!(store.add_record(&record(1, 10)).await, Ok(Added::Yes));
    store.close().await;
    assert!(!is_in_use(file_of(&site)));
    assert_eq!(site.open().await.records().await.unwrap().records, [record(1, 10)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_made_is_readable_by_the_service_alone() {
    let site = Site::in_a_file();
    let store = site.open().await;
    store.add_record(&record(1, 10)).await.unwrap();
    store.records().await.unwrap();
    let folder = file_of(&site).parent().unwrap();
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()).collect();
    assert!(files.len() >= 3, "the file, its log and its lock: {files:?}");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_file_that_is_no_store_is_refused_and_left_as_it_was() {
    let site = Site::in_a_file();
    let text = "this is somebody's letter, and long enough to be looked at as a database: ".repeat(20);
    std::fs::write(file_of(&site), &text).unwrap();
    let error = refused(&site).await;
    assert!(matches!(error, OpenError::NotAStore { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(file_of(&site)).unwrap(), text);
    assert!(matches!(check_file(file_of(&site)), Err(OpenError::NotAStore { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_folder_that_is_not_there_is_named() {
    let mut site = Site::in_a_file();
    let file = file_of(&site).parent().unwrap().join("deep/state.db");
    site.settings.url = StoreUrl::Sqlite(file.clone());
    let said = refused(&site).await.to_string();
    assert!(said.starts_with("cannot open ") && said.contains("deep/state.db"), "{said}");
    let said = check_file(&file).unwrap_err().to_string();
    assert!(said.contains("deep does not exist; create it first"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_look_at_a_file_leaves_no_trace() {
    let site = Site::in_a_file();
    let file = file_of(&site);
    check_file(file).unwrap();
    assert!(!is_in_use(file));
    assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 0);
    site.open().await.close().await;
    check_file(file).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_password_file_that_can_not_be_used_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let mut site = Site::at(StoreUrl::parse("postgres://arm@localhost:1/arm").unwrap());
    site.settings.password_file = Some(file.clone());
    for (content, words) in
        [(None, "No such file"), (Some("\n"), "it is empty"), (Some("one\ntwo"), "in one line")]
    {
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        let said = refused(&site).await.to_string();
        assert!(said.contains(words), "{said}");
    }
    std::fs::write(&file, "hunter2\r\n").unwrap();
    assert_eq!(read_password(&file).unwrap().expose_secret(), "hunter2");
}
