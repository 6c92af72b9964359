//! The way out to GitHub: a private certificate authority, and a proxy that the environment names.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use actions_runner_manager::tls;
use fake_github::FakeGithub;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::binary::{Binary, run};
use crate::harness::{self, send};
use crate::process::{no_secret_in, port_of};
use crate::recorded::record_groups_in;
use crate::scene::{Cast, acme_with_groups};

/// An Enterprise Server behind TLS with a certificate that no system trusts, and a configuration for it.
pub struct Site {
    pub fake: FakeGithub,
    cast: Cast,
    /// Where TLS ends.
    pub front: SocketAddr,
    pub folder: TempDir,
    certificate: String,
}

impl Site {
    async fn new(ca_file: Option<&str>) -> Self {
        Self::showing(None, ca_file).await
    }

    /// With a certificate and key of its own, instead of those that the service itself shows.
    pub async fn showing(shown: Option<(&str, &str)>, ca_file: Option<&str>) -> Self {
        tls::install_provider();
        let (mut world, cast, _) = acme_with_groups();
        world.set_enterprise_version(3, 16);
        let fake = harness::fake(world);
        let folder = tempfile::tempdir().unwrap();
        let certificate = harness::write_certificate(folder.path());
        let shown = shown.map(|(certificate, key)| {
            let own = tempfile::tempdir_in(folder.path()).unwrap();
            std::fs::write(own.path().join("tls.crt"), certificate).unwrap();
            std::fs::write(own.path().join("tls.key"), key).unwrap();
            own
        });
        let files = shown.as_ref().map_or(folder.path(), |own| own.path());
        let target = fake.port();
        let front = serve_tls(files, move || TcpStream::connect(("127.0.0.1", target))).await;
        let mut github = json!({ "apiURL": format!("https://localhost:{}/api/v3", front.port()) });
        if let Some(file) = ca_file {
            github["caFile"] = json!(file);
        }
        let extra = json!({ "github": github, "logging": { "level": "debug" } });
        let config = harness::configuration(folder.path(), &fake, &extra);
        std::fs::write(folder.path().join("config.yml"), config.to_string()).unwrap();
        record_groups_in(folder.path(), &fake);
        Self { fake, cast, front, folder, certificate }
    }

    /// Starts the service, and asks it for something that it has to ask GitHub for.
    pub async fn works(&self, environment: &[(&str, &str)]) {
        let binary = Binary::start(&[], environment, self.folder.path());
        let port = port_of(&binary.stdout.with("\"serving\"").await);
        let url = format!("https://localhost:{port}/api/v1/group-list?team=payments");
        let request = harness::client(&self.certificate).get(url).header("authorization", &self.cast.ada);
        assert_eq!(send(request).await.response()["repos"][0], "web");
        no_secret_in(&binary.stdout.text(), &self.fake);
    }
}

/// Ends TLS on a free port, by the certificate in a folder, and passes on what comes to where `inside` leads.
pub async fn serve_tls<F>(
    folder: &std::path::Path,
    inside: impl Fn() -> F + Send + Clone + 'static,
) -> SocketAddr
where
    F: Future<Output = std::io::Result<TcpStream>> + Send,
{
    let store = tls::CertificateStore::load(&folder.join("tls.crt"), &folder.join("tls.key")).unwrap();
    let mut config = store.server_config().unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, inside) = (acceptor.clone(), inside.clone());
            tokio::spawn(async move {
                let mut outside = acceptor.accept(stream).await.ok()?;
                let mut inside = inside().await.ok()?;
                copy_bidirectional(&mut outside, &mut inside).await.ok()
            });
        }
    });
    address
}

/// A proxy that opens tunnels, and where to.
pub async fn serve_tunnels() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let record = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let record = record.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.ok()?);
                }
                let head = String::from_utf8(head).ok()?;
                record.lock().unwrap().push(head.lines().next()?.to_owned());
                let target = head.split(' ').nth(1)?.to_owned();
                let mut inside = TcpStream::connect(target).await.ok()?;
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
                copy_bidirectional(&mut stream, &mut inside).await.ok()
            });
        }
    });
    (address, asked)
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_its_certificate_is_named() {
    Site::new(Some("tls.crt")).await.works(&[]).await;
}

#[tokio::test]
async fn without_it_the_server_is_not_believed_and_nothing_is_sent() {
    let site = Site::new(None).await;
    let binary = Binary::start(&[], &[], site.folder.path());
    let line = binary.stdout.with("not ready yet").await;
    assert!(line.contains("name that authority's certificate in github.caFile"), "{line}");
    assert_eq!(line.matches("UnknownIssuer").count(), 1, "the reason, once: {line}");
    assert_eq!(site.fake.total_calls(), 0);
    let others: Vec<_> = binary.stdout.json();
    assert!(
        others.iter().all(|line| line["target"] != "rustls_platform_verifier::verification"),
        "{others:#?}"
    );
    let checked = run(&["check-config", "--online"], &[], site.folder.path()).await;
    assert_eq!(checked.code, 2);
    assert_eq!(checked.stderr.matches("UnknownIssuer").count(), 1, "{}", checked.stderr);
    assert!(checked.stderr.contains("github.caFile"), "{}", checked.stderr);
}

#[tokio::test]
async fn a_file_of_authorities_that_is_of_no_use_stops_the_start() {
    let site = Site::new(Some("ca.pem")).await;
    for (text, reason) in [
        (None, "No such file"),
        (Some(""), "no certificate in it"),
        (Some("no certificate"), "no certificate in it"),
        (Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "expected PEM certificates"),
        (Some("-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n"), "expected PEM certificates"),
    ] {
        if let Some(text) = text {
            std::fs::write(site.folder.path().join("ca.pem"), text).unwrap();
        }
        let ended = run(&[], &[], site.folder.path()).await;
        assert_eq!(ended.code, 1, "{text:?}: {ended:?}");
        assert!(
            ended.stderr.contains("ca.pem") && ended.stderr.contains(reason),
            "{text:?}: {}",
            ended.stderr
        );
    }
}

#[tokio::test]
async fn the_environments_proxy_is_used_unless_it_excludes_the_host() {
    let site = Site::new(Some("tls.crt")).await;
    let (proxy, asked) = serve_tunnels().await;
    let proxy = format!("http://{proxy}");
    for variable in ["HTTPS_PROXY", "https_proxy"] {
        site.works(&[(variable, &proxy)]).await;
        let asked = std::mem::take(&mut *asked.lock().unwrap());
        let expected = format!("CONNECT localhost:{} HTTP/1.1", site.front.port());
        assert!(!asked.is_empty() && asked.iter().all(|line| *line == expected), "{asked:?}");
    }
    site.works(&[("HTTPS_PROXY", &proxy), ("NO_PROXY", "localhost,.internal")]).await;
    assert_eq!(*asked.lock().unwrap(), Vec::<String>::new());
}
