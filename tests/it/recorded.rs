//! Records of which group is whose, written before the service starts.

use std::path::Path;

use actions_runner_manager::clock::Clock;
use actions_runner_manager::config::{self, Config};
use actions_runner_manager::domain::ids::{GroupId, TeamId};
use actions_runner_manager::domain::names::TeamSlug;
use actions_runner_manager::domain::record::{GroupRecord, RecordOrigin};
use actions_runner_manager::domain::store_url::StoreUrl;
use actions_runner_manager::store::{Settings, Store};
use fake_github::FakeGithub;

use crate::harness::sources;

/// Records that each group is the team's for which the configuration's template gives its name, as if it had been created
/// here; if there is a store in a file.
pub fn record_groups(config: &Config, fake: &FakeGithub) {
    if !config.store.url.as_ref().is_some_and(|url| matches!(url, StoreUrl::Sqlite(_))) {
        return;
    }
    record_all_groups(config, fake);
}

/// The same in any store that outlives a process.
pub fn record_all_groups(config: &Config, fake: &FakeGithub) {
    let records: Vec<_> = fake.world(|world| {
        let record = |group: &fake_github::Group| {
            let owner = world.teams().find(|team| {
                let slug = TeamSlug::parse(&team.slug).unwrap();
                config.groups.name.group_of(&slug, TeamId(team.id.0)).is(&group.name)
            })?;
            Some((owner.id.0, group.id.0, group.name.clone()))
        };
        world.groups().filter(|group| !group.default && !group.inherited).filter_map(record).collect()
    });
    write_records(config, &records);
}

/// The same for the configuration in a folder. One that is wrong is for the service to refuse.
pub fn record_groups_in(folder: &Path, fake: &FakeGithub) {
    if let Ok(loaded) = config::load(&sources(folder)) {
        record_groups(&loaded.config, fake);
    }
}

/// Writes records, each a team's id, a group's id and its name, into the store of a service that doesn't run.
pub fn write_records(config: &Config, records: &[(u64, u64, String)]) {
    let settings = Settings::of(&config.store).unwrap();
    let records: Vec<_> = records
        .iter()
        .map(|(team, group, name)| GroupRecord {
            team: TeamId(*team),
            group: GroupId(*group),
            name: name.clone(),
            origin: RecordOrigin::Made,
            at: 0,
        })
        .collect();
    let writing = async move {
        let store = Store::open(&settings, Clock::system()).await.unwrap();
        store.import_records(&records).await.unwrap();
        store.close().await;
    };
    // On a thread of its own, since tests that start the binary are not asynchronous there.
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    std::thread::scope(|scope| scope.spawn(|| runtime().block_on(writing)).join().unwrap());
}
