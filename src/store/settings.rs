//! What the store has to know.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::StoreConfig;
use crate::domain::store_url::StoreUrl;

/// Where the store is, and how much it keeps.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the store is.
    pub url: StoreUrl,
    /// The password of the database's role, read again for new connections. Not used if the URL holds one.
    pub password_file: Option<PathBuf>,
    /// PEM certificates that the server's certificate may be of, in addition to the public authorities.
    pub ca_file: Option<PathBuf>,
    /// How long events are kept.
    pub keep: Duration,
    /// How many events are kept.
    pub max_events: u64,
}

impl Settings {
    /// The settings of a store at this address; the others as by default.
    pub fn new(url: StoreUrl) -> Self {
        let keep = Duration::from_hours(90 * 24);
        Self { url, password_file: None, ca_file: None, keep, max_events: 5_000_000 }
    }

    /// What the configuration says; nothing if there is to be no store.
    pub fn of(config: &StoreConfig) -> Option<Self> {
        Some(Self {
            url: config.url.clone()?,
            password_file: config.password_file.clone(),
            ca_file: config.ca_file.clone(),
            keep: config.keep,
            max_events: config.most_events,
        })
    }
}
