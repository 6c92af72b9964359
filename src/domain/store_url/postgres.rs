//! The address of a database of PostgreSQL.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use super::{StoreUrlError, decoded, expected};

const FORM: &str = "expected postgres://USER@HOST/DATABASE";
const DEFAULT_PORT: u16 = 5432;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostgresHost {
    /// A name or an address, without brackets.
    Network(String),
    /// The folder of its socket.
    Socket(PathBuf),
}

/// Whether the connection is encrypted, and what of the server's certificate is checked: libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Never encrypted.
    Disable,
    /// Encrypted only if the server insists.
    Allow,
    /// Encrypted if the server can.
    Prefer,
    /// Encrypted, whoever the server is.
    Require,
    /// Encrypted, with a certificate of a trusted authority.
    VerifyCa,
    /// Encrypted, with a certificate of a trusted authority for the server's name.
    VerifyFull,
}

const MODES: [(&str, TlsMode); 6] = [
    ("disable", TlsMode::Disable),
    ("allow", TlsMode::Allow),
    ("prefer", TlsMode::Prefer),
    ("require", TlsMode::Require),
    ("verify-ca", TlsMode::VerifyCa),
    ("verify-full", TlsMode::VerifyFull),
];

/// A database, and how to reach it. `Debug` and `Display` don't show the password.
#[derive(Debug, Clone)]
pub struct PostgresUrl {
    /// The server.
    pub host: PostgresHost,
    /// The server's port; also in the name of a socket.
    pub port: u16,
    /// The role that the service is there.
    pub user: String,
    /// The role's password, if the URL holds it.
    pub password: Option<SecretString>,
    /// The database.
    pub database: String,
    /// How the connection is protected: `verify-full` to any other host.
    pub tls: TlsMode,
}

impl PostgresUrl {
    /// Takes what stands behind `postgres://`.
    pub(super) fn parse(rest: &str) -> Result<Self, StoreUrlError> {
        if rest.contains('#') {
            return expected("expected a URL without #; in a user or password it is written %23");
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, server) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match credentials.split_once(':') {
            Some((user, password)) => (user, Some(decoded(password)?)),
            None => (credentials, None),
        };
        let (user, database) = (decoded(user)?, decoded(database)?);
        let Parameters { tls, folder } = Parameters::parse(query)?;
        let (name, port) = server_and_port(server)?;
        let host = match (folder, decoded(name)?) {
            (Some(folder), name) if name.is_empty() => PostgresHost::Socket(folder),
            (Some(_), _) => return expected(format!("{FORM} with one host: it stands twice")),
            (None, name) if name.starts_with('/') => PostgresHost::Socket(PathBuf::from(name)),
            (None, name) => PostgresHost::Network(host_name(name)?),
        };
        if user.is_empty() || database.is_empty() || database.contains('/') {
            return expected(format!("{FORM}, with a user and the name of a database"));
        }
        let tls = host.permitted(tls)?;
        let password = password.filter(|password| !password.is_empty()).map(SecretString::from);
        Ok(Self { host, port, user, password, database, tls })
    }
}

impl PostgresHost {
    /// Whether what is sent there stays in this host.
    fn is_local(&self) -> bool {
        match self {
            Self::Socket(_) => true,
            Self::Network(name) => {
                name.eq_ignore_ascii_case("localhost")
                    || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }

    /// The mode of connections, if it may be this one.
    fn permitted(&self, mode: Option<TlsMode>) -> Result<TlsMode, StoreUrlError> {
        match mode {
            Some(TlsMode::VerifyFull) => Ok(TlsMode::VerifyFull),
            mode if self.is_local() => Ok(mode.unwrap_or(TlsMode::Prefer)),
            None => Ok(TlsMode::VerifyFull),
            Some(mode) => expected(format!(
                "expected sslmode=verify-full, or none, which means it: with {mode}, whoever is between this host and the \
                 database could read and change everything; name the authority of its certificate in store.caFile"
            )),
        }
    }
}

/// What stands behind the question mark.
#[derive(Default)]
struct Parameters {
    tls: Option<TlsMode>,
    folder: Option<PathBuf>,
}

impl Parameters {
    fn parse(query: &str) -> Result<Self, StoreUrlError> {
        let mut parameters = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value)?;
            match name {
                "sslmode" => {
                    let mode = MODES.iter().find(|(word, _)| *word == value).map(|(_, mode)| *mode);
                    let words = MODES.map(|(word, _)| word).join(", ");
                    let unknown = || StoreUrlError(format!("expected one of {words} as sslmode"));
                    parameters.tls = Some(mode.ok_or_else(unknown)?);
                }
                "host" if value.starts_with('/') => parameters.folder = Some(PathBuf::from(value)),
                "host" => {
                    return expected(format!(
                        "{FORM}: host= is for the folder of a socket, such as /run/postgresql"
                    ));
                }
                "password" => return expected("expected no password= in the URL: use store.passwordFile"),
                "sslrootcert" => return expected("expected no sslrootcert= in the URL: use store.caFile"),
                _ => return expected("expected no parameters but sslmode and host behind the ? of the URL"),
            }
        }
        Ok(parameters)
    }
}

fn server_and_port(server: &str) -> Result<(&str, u16), StoreUrlError> {
    let behind_address = server.rfind(']').map_or(0, |bracket| bracket + 1);
    let colon = server.get(behind_address..).and_then(|rest| rest.find(':')).map(|at| behind_address + at);
    let (name, port) = colon.map_or((server, ""), |colon| (&server[..colon], &server[colon + 1..]));
    match port.parse() {
        Ok(port) if port > 0 => Ok((name, port)),
        _ if port.is_empty() => Ok((name, DEFAULT_PORT)),
        _ => expected(
            "expected the port of the database as a number from 1 to 65535; a : in a password is fine, but @ / ? # % are written %40 %2F %3F %23 %25",
        ),
    }
}

fn host_name(name: String) -> Result<String, StoreUrlError> {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    if let Some(address) = bare {
        let is_address = address.parse::<IpAddr>().is_ok();
        return if is_address {
            Ok(address.to_owned())
        } else {
            expected("expected an IPv6 address in brackets")
        };
    }
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    if is_name { Ok(name) } else { expected(format!("{FORM} with the name or address of one host")) }
}

impl PartialEq for PostgresUrl {
    fn eq(&self, other: &Self) -> bool {
        let secret = |url: &Self| url.password.as_ref().map(|password| password.expose_secret().to_owned());
        self.to_string() == other.to_string() && secret(self) == secret(other)
    }
}

impl Eq for PostgresUrl {}

impl fmt::Display for TlsMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = MODES.iter().find(|(_, mode)| mode == self).map_or("", |(word, _)| word);
        formatter.write_str(word)
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, port, database, tls, .. } = self;
        let password = if self.password.is_some() { ":***" } else { "" };
        write!(formatter, "postgres://{user}{password}@")?;
        match &self.host {
            PostgresHost::Network(name) if name.contains(':') => write!(formatter, "[{name}]")?,
            PostgresHost::Network(name) => formatter.write_str(name)?,
            PostgresHost::Socket(_) => {}
        }
        write!(formatter, ":{port}/{database}?sslmode={tls}")?;
        match &self.host {
            PostgresHost::Socket(folder) => write!(formatter, "&host={}", folder.display()),
            PostgresHost::Network(_) => Ok(()),
        }
    }
}
