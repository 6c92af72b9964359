//! `check-config` opens what a store is made of.

use std::net::TcpListener;

use actions_runner_manager::clock::Clock;
use actions_runner_manager::domain::store_url::StoreUrl;
use actions_runner_manager::store::{Settings, Store};
use serde_json::{Value, json};

use super::{Site, files_in, nothing, silent};

fn at(url: &str) -> Value {
    silent(&json!({ "store": { "url": url } }))
}

type Case = (Value, fn(&Site), &'static str, &'static str);

#[tokio::test]
async fn what_a_store_can_not_be_made_of_is_found() {
    let with_password = |file: &str| json!({ "store": { "url": "postgres://arm@db.example/arm", "passwordFile": file, "caFile": "tls.crt" } });
    let with_authority = json!({ "store": { "url": "postgres://arm@db.example/arm", "caFile": "key.pem" } });
    let cases: [Case; 5] = [
        (
            at("sqlite:///no-such-folder-here/state.db"),
            nothing,
            "store.url",
            "does not exist; create it first",
        ),
        (at("sqlite:///etc/hostname"), nothing, "store.url", "it is no database of SQLite"),
        (with_password("none"), nothing, "store.passwordFile", "No such file"),
        (with_password("empty"), |site| site.write("empty", "\n"), "store.passwordFile", "it is empty"),
        (with_authority, nothing, "store.caFile", "no certificate in it"),
    ];
    for (extra, prepare, setting, words) in cases {
        let site = Site::new(&extra);
        prepare(&site);
        let checked = site.check(&[]).await;
        assert_eq!((checked.code, checked.stdout.as_str()), (2, ""), "{setting}");
        let start = format!("error: config.yml:{}: {setting}: ", site.line_of(setting));
        assert!(checked.stderr.starts_with(&start), "{start} does not begin {}", checked.stderr);
        assert!(checked.stderr.contains(words), "{words}: {}", checked.stderr);
        assert!(checked.stderr.contains("\n1 problem in the configuration"), "{}", checked.stderr);
    }
}

#[tokio::test]
async fn a_file_in_use_is_told_and_no_problem_since_the_service_itself_may_run() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/state.db", folder.path().display());
    let site = Site::new(&at(&url));
    let free = site.check(&["--quiet"]).await;
    assert_eq!((free.code, free.stdout.as_str(), free.stderr.as_str()), (0, "", ""));
    assert!(files_in(folder.path()).is_empty(), "a look leaves no trace");
    let settings = Settings::new(StoreUrl::parse(&url).unwrap());
    let store = Store::open(&settings, Clock::system()).await.unwrap();
    let used = site.check(&["--quiet"]).await;
    assert_eq!((used.code, used.stderr.as_str()), (0, ""));
    let start =
        format!("warning: config.yml:{}: store.url: is in use by another process", site.line_of("store.url"));
    assert!(used.stdout.starts_with(&start) && used.stdout.lines().count() == 1, "{}", used.stdout);
    store.close().await;
    assert_eq!(site.check(&["--quiet"]).await.stdout, "");
}

#[tokio::test]
async fn online_asks_the_stores_server_and_names_its_setting() {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let site = Site::new(&json!({ "store": { "url": format!("postgres://arm@127.0.0.1:{port}/arm") } }));
    let offline = site.check(&[]).await;
    assert_eq!((offline.code, offline.stderr.as_str()), (0, ""));
    let asked = site.check(&["--online"]).await;
    let start =
        format!("error: config.yml:{}: store.url: the store is unavailable: ", site.line_of("store.url"));
    assert!(asked.code == 2 && asked.stderr.starts_with(&start), "{}", asked.stderr);
}
