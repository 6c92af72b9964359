//! What the framework and TLS alone take: a handler without anything, behind the service's own TLS settings.

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use actions_runner_manager::tls::CertificateStore;
use actix_web::{App, HttpResponse, HttpServer, web};

use crate::github::Process;
use crate::{Outcome, say};

/// The certificate to show.
#[derive(clap::Args)]
pub(crate) struct Files {
    #[arg(long)]
    certificate: PathBuf,
    #[arg(long)]
    key: PathBuf,
}

/// The path and the body of the service's `status`.
pub(crate) const PATH: &str = "/api/v1/status";
const BODY: &str = r#"{"Code":200,"Response":"Server ready"}"#;

/// Serves until standard input ends.
pub(crate) fn run(files: &Files) -> Outcome<()> {
    let tls = CertificateStore::load(&files.certificate, &files.key)?.server_config()?;
    actix_web::rt::System::new().block_on(async {
        let handler = || async { HttpResponse::Ok().content_type("application/json").body(BODY) };
        let server = HttpServer::new(move || App::new().route(PATH, web::get().to(handler)))
            .tcp_nodelay(true)
            .disable_signals()
            .bind_rustls_0_23("127.0.0.1:0", tls)?;
        let address = server.addrs().first().copied().ok_or("no address")?;
        let server = server.run();
        let handle = server.handle();
        std::thread::spawn(move || {
            // Whether it ends well or badly, there is nothing more to serve.
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            drop(handle.stop(false));
        });
        say(&address.to_string());
        Ok(server.await?)
    })
}

/// A process that runs the above.
pub(crate) fn start(folder: &Path) -> Outcome<(Process, SocketAddr)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("bare").arg("--certificate").arg(folder.join("tls.crt"));
    command.arg("--key").arg(folder.join("tls.key"));
    let mut process = Process::start(command)?;
    let address = process.line()?.parse()?;
    Ok((process, address))
}
