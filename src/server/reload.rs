//! The configuration's file, read again while the service runs.

use std::path::{Path, PathBuf};

use super::Server;
use crate::config::{self, Config, Sources};
use crate::metrics;

/// The configuration as it was last read. Changes are seen by content: Kubernetes replaces a mounted `ConfigMap`
/// by swapping a symbolic link.
pub struct Configuration {
    sources: Sources,
    file: PathBuf,
    seen: Option<Vec<u8>>,
}

impl Configuration {
    /// To be called when the configuration was just loaded from `sources`.
    pub fn of(sources: Sources) -> Self {
        let file = config::file_of(&sources);
        let seen = content(&file);
        Self { sources, file, seen }
    }

    /// Reads it again because somebody asked for it, and puts in force what may change while the service runs. A
    /// bad file leaves the old configuration in force. `apply` gets a good one first.
    pub fn reload(&mut self, server: &Server, apply: impl FnOnce(&Config)) {
        self.has_changed();
        let loaded = config::load(&self.sources);
        metrics::reload("configuration", loaded.is_ok());
        match loaded {
            Ok(loaded) => {
                apply(&loaded.config);
                server.reload(&loaded.config);
                tracing::info!("the configuration was read again");
            }
            Err(problems) => tracing::error!(%problems, "the old configuration stays in force"),
        }
    }

    /// The same, if the file changed since it was last read.
    pub fn reload_if_changed(&mut self, server: &Server, apply: impl FnOnce(&Config)) {
        if self.has_changed() {
            self.reload(server, apply);
        }
    }

    fn has_changed(&mut self) -> bool {
        let now = content(&self.file);
        // A file that can't be read just now, as while it is replaced, has not changed yet.
        let changed = now.is_some() && now != self.seen;
        if changed {
            self.seen = now;
        }
        changed
    }
}

/// Nothing for what is no plain file: reading a pipe could wait for ever.
fn content(path: &Path) -> Option<Vec<u8>> {
    let is_file = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    if is_file { std::fs::read(path).ok() } else { None }
}
