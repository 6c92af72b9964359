//! `records`: writes the records of which group is whose to standard output, or reads them from a file. YAML, by ids.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use actions_runner_manager::clock::Clock;
use actions_runner_manager::config::{Config, Loaded};
use actions_runner_manager::domain::ids::{GroupId, TeamId};
use actions_runner_manager::domain::record::{GroupRecord, RecordOrigin};
use actions_runner_manager::store::{Imported, Settings, Store};
use actions_runner_manager::tls;
use clap::Subcommand;
use serde::{Deserialize, Serialize};

use super::config_file::ConfigFile;
use super::output::{EXIT_FAILURE, EXIT_USAGE, fail, write};
use super::runtime::on_runtime;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Print the records as YAML; a store in a file can be read while the service is stopped
    Export(ConfigFile),
    /// Add the records of a YAML file, as export prints them, all or none; a store in a file can be written while the
    /// service is stopped
    Import {
        #[command(flatten)]
        config: ConfigFile,
        /// The file, or - for standard input
        file: PathBuf,
    },
}

impl Command {
    pub(super) fn config(&mut self) -> &mut ConfigFile {
        match self {
            Self::Export(config) | Self::Import { config, .. } => config,
        }
    }
}

/// A group's name is at most this many characters; it is for people.
const MAX_NAME: usize = 255;

/// A file of records.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    records: Vec<Entry>,
}

/// A record in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The team's id.
    team: u64,
    /// The group's id.
    group: u64,
    /// The group's name; for people.
    #[serde(default)]
    name: String,
}

pub(super) fn run(command: &Command, loaded: &Loaded) -> ExitCode {
    let text = match command {
        Command::Export(_) => None,
        Command::Import { file, .. } => match read(file) {
            Ok(text) => Some(text),
            Err(message) => return fail(EXIT_USAGE, &message),
        },
    };
    let records = match text.as_deref().map(parse).transpose() {
        Ok(records) => records,
        Err(message) => return fail(EXIT_USAGE, &message),
    };
    on_runtime(async {
        let outcome = match records {
            None => export(&loaded.config).await,
            Some(records) => import(&loaded.config, &records).await,
        };
        match outcome {
            Ok(text) => write(text.as_bytes()),
            Err(message) => fail(EXIT_FAILURE, &message),
        }
    })
}

fn read(file: &PathBuf) -> Result<String, String> {
    let cannot = |cause: std::io::Error| format!("cannot read {}: {cause}", file.display());
    if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(cannot)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).map_err(cannot)
}

fn parse(text: &str) -> Result<Vec<GroupRecord>, String> {
    let file: File = serde_yaml::from_str(text).map_err(|cause| {
        format!("the records can't be read: {cause}; expected `records:` with items such as `- {{team: 7, group: 12}}`")
    })?;
    let is_sound = |entry: &&Entry| {
        let named = entry.name.chars().count() <= MAX_NAME && !entry.name.chars().any(char::is_control);
        entry.team > 0 && entry.group > 0 && named
    };
    if let Some(wrong) = file.records.iter().find(|entry| !is_sound(entry)) {
        let name = wrong.name.escape_debug().take(MAX_NAME).collect::<String>();
        return Err(format!(
            "the record of team {} and group {} (\"{name}\") can't be: expected ids above 0, and a name of at most {MAX_NAME} \
             characters without control characters",
            wrong.team, wrong.group
        ));
    }
    let at = Clock::system().unix_seconds();
    let origin = RecordOrigin::Imported;
    let record = |entry: Entry| GroupRecord {
        team: TeamId(entry.team),
        group: GroupId(entry.group),
        name: entry.name,
        origin,
        at,
    };
    Ok(file.records.into_iter().map(record).collect())
}

async fn open(config: &Config) -> Result<Store, String> {
    tls::install_provider();
    let settings =
        Settings::of(&config.store).ok_or("store.url is not set: without a store there are no records")?;
    Store::open(&settings, Clock::system()).await.map_err(|error| format!("store.url: {error}"))
}

async fn export(config: &Config) -> Result<String, String> {
    let store = open(config).await?;
    let records = store.records().await.map_err(|error| error.to_string())?.records;
    store.close().await;
    let entry = |record: GroupRecord| Entry { team: record.team.0, group: record.group.0, name: record.name };
    let file = File { records: records.into_iter().map(entry).collect() };
    serde_yaml::to_string(&file).map_err(|error| error.to_string())
}

async fn import(config: &Config, records: &[GroupRecord]) -> Result<String, String> {
    let store = open(config).await?;
    let outcome = store.import_records(records).await.map_err(|error| error.to_string());
    store.close().await;
    outcome.map(|Imported { added, replaced }| {
        format!("{added} records were added, {replaced} were there already\n")
    })
}
