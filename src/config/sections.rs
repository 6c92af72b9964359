//! Every key with its default and its parser: one function for each section of `config.yml`.

mod access;
mod app;
mod groups;
mod oidc;
mod policy;
mod store;

use std::net::SocketAddr;
use std::time::Duration;

use self::access::{Around, access};
use self::app::credentials_section;
use self::groups::{administrators, groups};
use self::oidc::oidc;
use self::policy::policy_section;
use self::store::store;
use super::node::Node;
use super::reader::{Found, Invalid, Reader, Split, Valid, items_of};
use super::values::{
    Complaint, Outcome, address, boolean, bytes, choice, duration, name, network, pattern, percentage, rate,
    text, text_or_empty, whole,
};
use super::{
    AdminListener, ApiUrl, Config, GithubConfig, LogFormat, LogLevel, LoggingConfig, OfflineSweep,
    ServerConfig, SweepConfig, Target, TlsConfig, TlsFiles,
};
use crate::domain::cache_ttls::CacheTtls;
use crate::domain::names::{OrgName, TeamSlug};
use crate::domain::pattern::Rules;
use crate::domain::shares::Shares;
use crate::domain::sweep::SweepScope;

const SECOND: Duration = Duration::from_secs(1);
/// No load balancer keeps idle connections for longer.
const HOUR: Duration = Duration::from_hours(1);
/// More than one process can serve or has file descriptors for.
const MAX_CONNECTIONS: u64 = 1_000_000;
/// No response should be cached for longer, and no sweep should run less often.
const DAY: Duration = Duration::from_hours(24);
/// Nobody looks for what was done longer ago, and nothing should be good for longer.
const DECADE: Duration = Duration::from_hours(3_653 * 24);
const MONTH: Duration = Duration::from_hours(31 * 24);

/// Reads all sections. An invalid one ends reading only after all have been read, so that every problem is reported.
pub(super) fn read(reader: &mut Reader) -> Valid<Config> {
    let org = organisation(reader);
    let credentials = credentials_section(reader);
    let github = github(reader);
    let groups = groups(reader);
    let store = store(reader);
    let logging = logging(reader);
    let server = server(reader);
    let cache = cache(reader);
    let policy = policy_section(reader);
    let scopes = rules(reader, "scopes.allow", "scopes.deny");
    let oidc = oidc(reader, github.as_ref().ok());
    let access = access(reader, Around { org: org.as_ref().ok(), issuers: oidc.as_ref().ok() });
    let administrators = administrators(reader);
    let sweep = sweep(reader);
    Ok(Config {
        file: None,
        org: org?,
        credentials: credentials?,
        github: github?,
        groups: groups?,
        store: store?,
        logging: logging?,
        server: server?,
        cache: cache?,
        policy: policy?,
        scopes: scopes?,
        oidc: oidc?,
        access: access?,
        administrators: administrators?,
        sweep: sweep?,
    })
}

/// The organisation; if it is not set, the one that all allowed scopes belong to.
fn organisation(reader: &mut Reader) -> Valid<OrgName> {
    let given = reader.find("org").or_else(|| organisation_of_scopes(reader));
    if let Some(found) = given {
        return reader.read(&found, name(OrgName::parse));
    }
    reader.missing("org", "the organisation's login");
    Err(Invalid)
}

fn organisation_of_scopes(reader: &mut Reader) -> Option<Found> {
    let allowed = reader.find("scopes.allow")?;
    let items = match &allowed.node {
        Node::Variable(text) => items_of(text, Split::Semicolons),
        Node::List(items) => items.iter().map(|item| item.node.clone()).collect(),
        _ => return None,
    };
    let organisation = |item: &Node| match item {
        Node::Text(text) | Node::Variable(text) if !text.starts_with("match:") => {
            text.split('/').next().filter(|org| !org.contains('*')).map(str::to_owned)
        }
        _ => None,
    };
    let first = items.first().and_then(organisation)?;
    let all = items.iter().all(|item| organisation(item).is_some_and(|org| org.eq_ignore_ascii_case(&first)));
    all.then_some(Found { key: "org", node: Node::Variable(first), origin: allowed.origin })
}

fn github(reader: &mut Reader) -> Valid<GithubConfig> {
    let api_url = api_url(reader);
    let ca_file = reader.path("github.caFile");
    if let Ok(Some(file)) = &ca_file {
        reader.refer("github.caFile", Target::Authorities(file.clone()));
    }
    let timeout = reader.or_default("github.timeout", "10s", duration(SECOND / 10, 600 * SECOND));
    let concurrency = reader.or_default("github.concurrency", "64", whole(1, 10_000));
    let shares = shares(reader);
    Ok(GithubConfig {
        api_url: api_url?,
        ca_file: ca_file?,
        timeout: timeout?,
        concurrency: concurrency?,
        shares: shares?,
    })
}

fn shares(reader: &mut Reader) -> Valid<Shares> {
    let principal = reader.or_default("github.share.principal", "20%", percentage);
    let team = reader.or_default("github.share.team", "40%", percentage);
    let system = reader.or_default("github.share.system", "20%", percentage);
    let reserve = reader.or_default("github.reserve", "10%", percentage);
    Ok(Shares { principal: principal?, team: team?, system: system?, reserve: reserve? })
}

const GITHUB: &str = "https://api.github.com";

fn api_url(reader: &mut Reader) -> Valid<ApiUrl> {
    let key = "github.apiURL";
    let api_url = reader.or_default(key, GITHUB, |node| {
        ApiUrl::parse(&text(node)?).map_err(|reason| Complaint::Message(reason.to_owned()))
    });
    // Every job of GitHub Actions has the variable; the credential goes to whatever it names.
    if let (Ok(url), Some(found)) = (&api_url, reader.find(key))
        && url.as_str() != GITHUB
        && reader.file_sets(key) == Some(false)
    {
        let message =
            format!("sends the service to {}; the file leaves github.apiURL at {GITHUB}", url.as_str());
        reader.warn_of_variable(&found, &message);
    }
    api_url
}

const LEVELS: &[(&str, LogLevel)] = &[
    ("debug", LogLevel::Debug),
    ("info", LogLevel::Info),
    ("warn", LogLevel::Warn),
    ("error", LogLevel::Error),
    ("fatal", LogLevel::Fatal),
];
const FORMATS: &[(&str, LogFormat)] = &[("json", LogFormat::Json), ("text", LogFormat::Text)];

fn logging(reader: &mut Reader) -> Valid<LoggingConfig> {
    let level = reader.or_default("logging.level", "info", choice(LEVELS));
    let format = reader.or_default("logging.format", "json", choice(FORMATS));
    let ephemeral = reader.or_default("logging.ephemeral", "true", boolean);
    let directory = reader.path_or_default("logging.logDirectory", "/var/log");
    let max_age_days = reader.or_default("logging.maxAge", "28", whole(0, 36_500));
    let max_backups = reader.or_default("logging.maxBackups", "5", whole(0, 100_000));
    let max_size = reader.or_default("logging.maxSize", "104857600", bytes(1024));
    let compress = match reader.either(["logging.compress", "logging.compression"]) {
        Some(found) => reader.read(&found, boolean),
        None => reader.or_default("logging.compress", "true", boolean),
    };
    let audit = reader.path("logging.audit");
    if let (Ok(false), Ok(directory)) = (ephemeral, &directory) {
        reader.refer("logging.logDirectory", Target::Log(LoggingConfig::file_in(directory)));
    }
    if let Ok(Some(file)) = &audit {
        reader.refer("logging.audit", Target::Log(file.clone()));
    }
    let directory = ephemeral.and_then(|ephemeral| directory.map(|path| (!ephemeral).then_some(path)));
    let config = LoggingConfig {
        level: level?,
        format: format?,
        directory: directory?,
        max_age_days: max_age_days?,
        max_backups: max_backups?,
        max_size: max_size?,
        compress: compress?,
        audit: audit?,
    };
    if config.audit.is_some() && config.audit == config.file() {
        reader.complain(
            None,
            "logging.audit",
            "expected another file than the one of ordinary lines".to_owned(),
        );
        return Err(Invalid);
    }
    Ok(config)
}

fn server(reader: &mut Reader) -> Valid<ServerConfig> {
    let own_address = reader.or_default("server.address", "0.0.0.0", address);
    let port = reader.or_default("server.port", "8443", whole::<u16>(0, 65_535));
    let rate_limit = reader.or_default("server.rateLimit", "5", rate);
    // As many at once as in one second; a slow rate still lets one through.
    let burst = rate_limit.unwrap_or(1.0).ceil().max(1.0).to_string();
    let rate_burst = reader.or_default("server.rateBurst", &burst, whole(1, 1_000_000));
    let unknown_token_rate = reader.or_default("server.unknownTokenRate", "5", rate);
    let legacy_get = reader.or_default("server.legacyGet", "true", boolean);
    let docs = reader.or_default("server.docs", "true", boolean);
    let max_connections = reader.or_default("server.maxConnections", "2000", whole(1, MAX_CONNECTIONS));
    let per_address = reader.or_default("server.connectionsPerAddress", "500", whole(1, MAX_CONNECTIONS));
    let keep_alive = reader.or_default("server.keepAlive", "75s", duration(SECOND, HOUR));
    let trusted_proxies = reader.list("server.trustedProxies", &[], Split::SemicolonsOrCommas, network);
    let tls = tls(reader);
    let admin = admin_listener(reader);
    if let (Ok(address), Ok(port), Ok(tls)) = (own_address, port, &tls) {
        reader.refer("server.address", Target::Listener(SocketAddr::new(tls.bound(address), port)));
    }
    if let Ok(Some(admin)) = admin {
        let listener = SocketAddr::new(admin.address, admin.port);
        reader.refer("server.admin.address", Target::Listener(listener));
    }
    if let (Ok(own_address), Ok(port), Ok(Some(admin))) = (own_address, port, admin) {
        let shared =
            admin.address == own_address || admin.address.is_unspecified() || own_address.is_unspecified();
        if port != 0 && admin.port == port && shared {
            let message = format!("contradicts server.port: both listeners would use port {port}");
            reader.complain(None, "server.admin.port", message);
        }
    }
    Ok(ServerConfig {
        address: own_address?,
        port: port?,
        rate_limit: rate_limit?,
        rate_burst: rate_burst?,
        unknown_token_rate: unknown_token_rate?,
        legacy_get: legacy_get?,
        docs: docs?,
        max_connections: max_connections?,
        connections_per_address: per_address?,
        keep_alive: keep_alive?,
        trusted_proxies: trusted_proxies?,
        tls: tls?,
        admin: admin?,
    })
}

fn tls(reader: &mut Reader) -> Valid<TlsConfig> {
    let enabled = reader.or_default("server.tls.enabled", "true", boolean);
    let certificate = reader.path_or_present("server.tls.certFile", "tls.crt");
    let key = reader.path_or_present("server.tls.keyFile", "tls.key");
    let terminated_elsewhere = reader.or_default("server.tls.terminatedElsewhere", "false", boolean);
    let files = if enabled? {
        if let Ok(None) = certificate {
            reader.missing("server.tls.certFile", "the certificate's PEM file, or server.tls.enabled: false");
        }
        if let Ok(None) = key {
            reader.missing("server.tls.keyFile", "the PEM file of the certificate's private key");
        }
        if let Ok(Some(file)) = &certificate {
            reader.refer("server.tls.certFile", Target::Certificate(file.clone()));
        }
        if let Ok(Some(file)) = &key {
            reader.refer("server.tls.keyFile", Target::CertificateKey(file.clone()));
        }
        Some(TlsFiles { certificate: certificate?.ok_or(Invalid)?, key: key?.ok_or(Invalid)? })
    } else {
        None
    };
    Ok(TlsConfig { files, terminated_elsewhere: terminated_elsewhere? })
}

/// Off when neither the section nor a variable of it is there.
fn admin_listener(reader: &mut Reader) -> Valid<Option<AdminListener>> {
    let (given_address, given_port) = (reader.find("server.admin.address"), reader.find("server.admin.port"));
    if given_address.is_none() && given_port.is_none() && !reader.has_section("server.admin") {
        reader.unused("server.admin.address");
        reader.unused("server.admin.port");
        return Ok(None);
    }
    let address = reader.or_default("server.admin.address", "127.0.0.1", address);
    let port = reader.or_default("server.admin.port", "9090", whole(0, 65_535));
    Ok(Some(AdminListener { address: address?, port: port? }))
}

fn cache(reader: &mut Reader) -> Valid<CacheTtls> {
    let mut span = |key, default| reader.or_default(key, default, duration(Duration::ZERO, DAY));
    let identity = span("cache.identity", "60s");
    let refused_identity = span("cache.refusedIdentity", "10s");
    let team = span("cache.team", "5m");
    let membership = span("cache.membership", "60s");
    let refused_membership = span("cache.refusedMembership", "5s");
    let group = span("cache.group", "60s");
    Ok(CacheTtls {
        identity: identity?,
        refused_identity: refused_identity?,
        team: team?,
        membership: membership?,
        refused_membership: refused_membership?,
        group: group?,
    })
}

/// Patterns may hold a comma (`match:a{1,2}`), so in a variable only `;` separates them.
fn rules(reader: &mut Reader, allow: &'static str, deny: &'static str) -> Valid<Rules> {
    let allow = reader.list(allow, &[], Split::Semicolons, pattern);
    let deny = reader.list(deny, &[], Split::Semicolons, pattern);
    Ok(Rules::new(allow?, deny?))
}

fn team_or_none(node: &Node) -> Outcome<Option<TeamSlug>> {
    if text_or_empty(node)?.is_empty() { Ok(None) } else { name(TeamSlug::parse)(node).map(Some) }
}

fn sweep(reader: &mut Reader) -> Valid<SweepConfig> {
    let enabled = reader.or_default("sweep.offlineRunners.enabled", "false", boolean);
    let every = reader.or_default("sweep.offlineRunners.every", "10m", duration(SECOND, DAY));
    let offline_for = reader.or_default("sweep.offlineRunners.offlineFor", "1h", duration(SECOND, MONTH));
    let groups = sweep_groups(reader);
    let dry_run = reader.or_default("sweep.offlineRunners.dryRun", "false", boolean);
    let offline_runners = OfflineSweep {
        enabled: enabled?,
        every: every?,
        offline_for: offline_for?,
        groups: groups?,
        dry_run: dry_run?,
    };
    Ok(SweepConfig { offline_runners })
}

const MANAGED: &str = "managed";

fn sweep_groups(reader: &mut Reader) -> Valid<SweepScope> {
    let key = "sweep.offlineRunners.groups";
    match reader.find(key) {
        Some(Found { node: Node::List(_), .. }) => {}
        Some(Found { node: Node::Variable(text), .. }) if text != MANAGED => {}
        Some(found) => {
            let expects = || Complaint::Expected("`managed`, or a list of group names".to_owned());
            let word = text(&found.node).ok().filter(|word| word == MANAGED);
            return reader.read(&found, |_| word.as_ref().ok_or_else(expects).map(|_| SweepScope::Managed));
        }
        None => return reader.or_default(key, MANAGED, |_| Ok(SweepScope::Managed)),
    }
    let names = reader.list(key, &[], Split::SemicolonsOrCommas, text)?;
    Ok(SweepScope::Named(names))
}
