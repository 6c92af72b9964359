//! The `store` section.

use std::time::Duration;

use super::{DAY, DECADE};
use crate::config::reader::{Reader, Valid};
use crate::config::values::{duration, text_or_empty, whole};
use crate::config::{StoreConfig, Target};
use crate::domain::store_url::StoreUrl;

/// Fewer would be gone before somebody asks for them, and more are slow to count.
const EVENTS: (u64, u64) = (1_000, 1_000_000_000);

pub(super) fn store(reader: &mut Reader) -> Valid<StoreConfig> {
    let url = url(reader);
    let password_file = reader.path("store.passwordFile");
    let ca_file = reader.path("store.caFile");
    let grace = reader.or_default("store.grace", "10m", duration(Duration::ZERO, DAY));
    let keep = reader.or_default("store.keep", "90d", duration(DAY, DECADE));
    let most_events = reader.or_default("store.mostEvents", "5000000", whole(EVENTS.0, EVENTS.1));
    let config = StoreConfig {
        url: url?,
        password_file: password_file?,
        ca_file: ca_file?,
        grace: grace?,
        keep: keep?,
        most_events: most_events?,
    };
    refer(reader, &config);
    Ok(config)
}

fn url(reader: &mut Reader) -> Valid<Option<StoreUrl>> {
    match reader.find("store.url") {
        Some(found) if matches!(text_or_empty(&found.node), Ok(text) if text.is_empty()) => {
            reader.read(&found, text_or_empty).map(|_| None)
        }
        Some(found) => reader.read_masked(&found, StoreUrl::parse).map(Some),
        None => {
            reader.unused("store.url");
            Ok(None)
        }
    }
}

/// Notes what is opened: only what the kind of store uses.
fn refer(reader: &mut Reader, config: &StoreConfig) {
    match &config.url {
        Some(StoreUrl::Sqlite(file)) => reader.refer("store.url", Target::StoreFile(file.clone())),
        Some(StoreUrl::Postgres(url)) => {
            if let (Some(file), None) = (&config.password_file, &url.password) {
                reader.refer("store.passwordFile", Target::StorePassword(file.clone()));
            }
            if let Some(file) = &config.ca_file {
                reader.refer("store.caFile", Target::Authorities(file.clone()));
            }
        }
        Some(StoreUrl::Memory) | None => {}
    }
}
