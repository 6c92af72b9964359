//! Files as Kubernetes mounts them: `..data` is a link to a folder, replaced in one step, and each file a link
//! through it. A change is seen without a signal, by looking every 30 seconds, which this test's clock moves.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actions_runner_manager::clock::Clock;
use actions_runner_manager::config::{self, Sources};
use actions_runner_manager::server::{self, Configuration};
use actions_runner_manager::tls;
use fake_github::{AppKey, FakeGithub};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::until;
use crate::harness::{self, capture_logs, client};
use crate::load::{Load, unlimited};
use crate::process::Service;
use crate::scene::acme_with_groups;

const FILES: [&str; 4] = ["config.yml", "key.pem", "tls.crt", "tls.key"];
const INSTALLATION: &str = "/app/installations/{installation_id}";
const A_LOOK: Duration = Duration::from_secs(30);

/// A mounted volume.
struct Mount {
    folder: TempDir,
    generation: usize,
}

impl Mount {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), generation: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Puts the first files there; gives the certificate.
    fn fill(&mut self, configuration: impl Fn(&Self) -> String) -> String {
        let (certificate, key) = fake_github::self_signed(&["localhost"]).unwrap();
        let config = configuration(self);
        self.replace(&[
            ("config.yml", &config),
            ("key.pem", &harness::private_key()),
            ("tls.crt", &certificate),
            ("tls.key", &key),
        ]);
        certificate
    }

    fn sources(&self) -> Sources {
        Sources {
            path: Some(self.path("config.yml")),
            environment: BTreeMap::new(),
            working_directory: self.folder.path().to_owned(),
        }
    }

    /// Replaces all files at once: those named here, the others as they were.
    fn replace(&mut self, files: &[(&str, &str)]) {
        let before = FILES.map(|name| (name, std::fs::read_to_string(self.path(name)).unwrap_or_default()));
        self.generation += 1;
        let next = format!("..generation-{}", self.generation);
        std::fs::create_dir(self.path(&next)).unwrap();
        for (name, old) in before {
            let new = files.iter().find(|(changed, _)| *changed == name).map_or(old.as_str(), |(_, new)| new);
            std::fs::write(self.path(&next).join(name), new).unwrap();
            if self.generation == 1 {
                symlink(Path::new("..data").join(name), self.path(name)).unwrap();
            }
        }
        symlink(&next, self.path("..data_tmp")).unwrap();
        std::fs::rename(self.path("..data_tmp"), self.path("..data")).unwrap();
        if self.generation > 1 {
            std::fs::remove_dir_all(self.path(&format!("..generation-{}", self.generation - 1))).unwrap();
        }
    }
}

/// The configuration that names the mounted files.
fn configuration(mount: &Mount, fake: &FakeGithub, extra: &Value) -> String {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut config = harness::configuration(elsewhere.path(), fake, &unlimited());
    let files = json!({
        "privateKeyFile": mount.path("key.pem"),
        "store": { "url": "" },
        "groups": { "trustNames": true },
        "server": { "tls": { "certFile": mount.path("tls.crt"), "keyFile": mount.path("tls.key") } },
    });
    harness::merge(&mut config, &files);
    harness::merge(&mut config, extra);
    config.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mounted_certificate_key_and_configuration_change_without_a_signal_and_not_one_request_fails() {
    capture_logs();
    tls::install_provider();
    let (mut world, cast, _) = acme_with_groups();
    world.set_rate_limit(1_000_000);
    let fake = harness::fake(world);
    let mut mount = Mount::new();
    let old = mount.fill(|mount| configuration(mount, &fake, &json!({})));
    let (new, new_key) = fake_github::self_signed(&["localhost"]).unwrap();
    let sources = mount.sources();
    let loaded = config::load(&sources).unwrap_or_else(|problems| panic!("{problems}"));
    let clock = Clock::manual();
    let mut server = server::start(&loaded.config, clock.clone()).await.unwrap();
    server.watch(Configuration::of(sources, loaded), |_| ());
    let port = server.address().port();
    let status = |certificate: &str, token: &str| {
        client(certificate)
            .get(format!("https://localhost:{port}/api/v1/status"))
            .header("authorization", token)
            .send()
    };
    {
        let load = Load::on(port, &[&old, &new], &cast.ada);
        load.goes_on().await;

        mount.replace(&[("tls.crt", &new), ("tls.key", &new_key)]);
        while status(&new, &cast.bob).await.is_err() {
            clock.advance(A_LOOK);
        }
        load.goes_on().await;

        let key = AppKey::generate().unwrap();
        fake.world(|world| world.set_app_key(&key));
        mount.replace(&[("key.pem", &key.private_pem())]);
        fake.clear_calls();
        // The new key is tried as soon as it is in force; the old one GitHub no longer accepts.
        until("a check with the new key", || {
            clock.advance(A_LOOK);
            fake.calls().iter().any(|call| call.template == Some(INSTALLATION) && call.status == Some(200))
        })
        .await;
        let minted = fake.world(|world| {
            world.revoke_installation_tokens();
            world.minted_tokens().len()
        });
        load.goes_on().await;
        assert!(fake.world(|world| world.minted_tokens().len()) > minted, "the new key was used");

        let changed = configuration(&mount, &fake, &json!({ "server": { "rateBurst": 77_777 } }));
        mount.replace(&[("config.yml", &changed)]);
        while status(&new, &cast.bob).await.unwrap().headers()["ratelimit-limit"] != "77777" {
            clock.advance(A_LOOK);
        }
        load.goes_on().await;
        load.end().await.is_flawless();
    }
}

#[tokio::test]
async fn the_process_reads_mounted_files_again_when_told_to() {
    let (world, cast, _) = acme_with_groups();
    let fake = harness::fake(world);
    let mut mount = Mount::new();
    // The process has its configuration elsewhere.
    let old = mount.fill(|_| String::new());
    let (new, new_key) = fake_github::self_signed(&["localhost"]).unwrap();
    let files = json!({
        "privateKeyFile": mount.path("key.pem"),
        "store": { "url": "" },
        "groups": { "trustNames": true },
        "server": { "tls": { "certFile": mount.path("tls.crt"), "keyFile": mount.path("tls.key") } },
    });
    let mut service = Service::in_front_of(fake, files).await;
    service.http = client(&old);
    service.call("GET", "status", &cast.ada).await.response();
    mount.replace(&[("tls.crt", &new), ("tls.key", &new_key)]);
    service.binary.signal("HUP");
    service.binary.stdout.with("the TLS certificate was replaced").await;
    service.http = client(&new);
    service.call("GET", "status", &cast.ada).await.response();
    // A mount without the certificate changes nothing.
    assert_eq!(mount.read("tls.crt"), new);
    mount.replace(&[("tls.crt", "")]);
    service.binary.signal("HUP");
    service.binary.stdout.with("the old certificate stays in force").await;
    service.http = client(&new);
    service.call("GET", "status", &cast.ada).await.response();
    service.stop().await;
}
