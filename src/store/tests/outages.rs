use super::gate::Gate;
use super::*;

fn fails(health: &Health) -> bool {
    matches!(health, Health::Failing { .. })
}

fn works(health: &Health) -> bool {
    *health == Health::Good
}

fn event() -> Event {
    events::success(7, "user:1")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_is_down_at_the_start_is_used_as_soon_as_it_is_there() {
    for mut site in Site::on_servers().await {
        let gate = Gate::in_front_of(&mut site).await;
        gate.close();
        let store = site.open().await;
        assert!(fails(&store.health().borrow()));
        for error in [
            store.records().await.unwrap_err(),
            store.add_record(&record(1, 10)).await.unwrap_err(),
            store.bind("https://api.github.com", 7).await.unwrap_err(),
        ] {
            assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        }
        store.push_event(event());
        gate.open();
        site.until_health(&store, works).await;
        assert_eq!(store.add_record(&record(1, 10)).await, Ok(Added::Yes));
        site.clock.advance(std::time::Duration::from_secs(1));
        assert_eq!(store.flush().await, 0);
        assert_eq!(store.events(None, None, 10).await.unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_goes_away_and_comes_back_is_used_again_and_no_event_is_lost() {
    for mut site in Site::on_servers().await {
        let gate = Gate::in_front_of(&mut site).await;
        let store = site.open().await;
        store.add_record(&record(1, 10)).await.unwrap();
        site.clock.advance(std::time::Duration::from_secs(100));
        gate.close();
        let before = site.clock.now();
        let error = store.add_record(&record(2, 20)).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        assert_eq!(*store.health().borrow(), Health::Failing { since: before });
        for _ in 0..3 {
            store.push_event(event());
        }
        assert_eq!(store.flush().await, 3);
        // The first failure is the one that counts.
        site.clock.advance(std::time::Duration::from_millis(10));
        store.records().await.unwrap_err();
        assert_eq!(*store.health().borrow(), Health::Failing { since: before });
        gate.open();
        site.until_health(&store, works).await;
        assert_eq!(store.add_record(&record(2, 20)).await, Ok(Added::Yes));
        assert_eq!(store.records().await.unwrap().records, [record(1, 10), record(2, 20)]);
        site.clock.advance(std::time::Duration::from_secs(1));
        assert_eq!(store.flush().await, 0);
        assert_eq!(store.events(None, None, 10).await.unwrap().len(), 3);
    }
}

// On one thread, or time could not be stopped.
#[tokio::test]
async fn a_server_that_does_not_respond_is_not_waited_for_for_long() {
    for mut site in Site::on_servers().await {
        let gate = Gate::in_front_of(&mut site).await;
        let store = site.open().await;
        store.add_record(&record(1, 10)).await.unwrap();
        gate.fall_silent();
        // From here on time passes when nothing else does.
        tokio::time::pause();
        let begun = tokio::time::Instant::now();
        let error = store.add_record(&record(2, 20)).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        assert!(begun.elapsed() <= std::time::Duration::from_secs(6), "{:?}", begun.elapsed());
        assert!(fails(&store.health().borrow()));
        tokio::time::resume();
        gate.open();
        site.until_health(&store, works).await;
        assert_eq!(store.records().await.unwrap().records, [record(1, 10)]);
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_password_that_was_replaced_is_used_for_new_connections() {
    for mut site in Site::on_servers().await.into_iter().take(1) {
        let role = format!("arm_role_{}", uuid::Uuid::new_v4().simple());
        site.run_text(format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'first-password'; GRANT ALL ON SCHEMA public TO {role}"
        ))
        .await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "first-password\n").unwrap();
        let StoreUrl::Postgres(url) = &mut site.settings.url else { unreachable!() };
        (url.user, url.password) = (role.clone(), None);
        site.settings.password_file = Some(file.clone());
        let gate = Gate::in_front_of(&mut site).await;
        let store = site.open().await;
        store.add_record(&record(1, 10)).await.unwrap();
        site.run_text(format!("ALTER ROLE {role} PASSWORD 'second-password'")).await;
        // Connections that exist end, and the old password makes no new ones.
        gate.close();
        store.records().await.unwrap_err();
        gate.open();
        let refused = store.add_record(&record(2, 20)).await.unwrap_err();
        assert!(refused.to_string().contains("authentication failed"), "{refused}");
        assert!(!refused.to_string().contains("-password"), "{refused}");
        std::fs::write(&file, "second-password\n").unwrap();
        assert_eq!(store.add_record(&record(2, 20)).await, Ok(Added::Yes));
        // While it is being replaced there may be no file: the connections go on.
        std::fs::remove_file(&file).unwrap();
        assert_eq!(store.add_record(&record(3, 30)).await, Ok(Added::Yes));
        store.close().await;
        site.run_text(format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_is_asked_without_a_trace() {
    for mut site in Site::on_servers().await {
        Store::ask(&site.settings, &site.clock).await.unwrap();
        // Nothing is there yet.
        site.run("CREATE TABLE arm_meta (id BIGINT); DROP TABLE arm_meta").await;
        site.open().await.close().await;
        Store::ask(&site.settings, &site.clock).await.unwrap();
        let gate = Gate::in_front_of(&mut site).await;
        gate.close();
        let error = Store::ask(&site.settings, &site.clock).await.unwrap_err();
        assert!(matches!(error, OpenError::Unreachable(_)), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_attempt_to_use_a_store_that_was_closed_says_so() {
    for site in Site::all().await {
        let store = site.open().await;
        store.close().await;
        let error = store.records().await.unwrap_err();
        assert_eq!(error, StoreError::Unavailable("it was closed".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_many_read_and_write_at_once_through_a_pooler_is_not_mixed_up() {
    for site in Site::all().await {
        let store = &site.open().await;
        let work = (1..=24_u64).map(|team| async move {
            for _ in 0..5 {
                store.add_record(&record(team, 100 + team)).await.unwrap();
                assert!(store.records().await.unwrap().records.contains(&record(team, 100 + team)));
                store.begin_creation(&creation(team)).await.unwrap();
                assert!(store.creations().await.unwrap().contains(&creation(team)));
                assert_eq!(store.remove_record(TeamId(team), GroupId(100 + team)).await, Ok(true));
            }
        });
        futures_util::future::join_all(work).await;
        assert_eq!(store.records().await.unwrap().records, []);
        assert_eq!(store.creations().await.unwrap().len(), 24);
    }
}
