//! Where the store is: what `store.url` may say.

mod postgres;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

pub use self::postgres::{PostgresHost, PostgresUrl, TlsMode};

/// Where the store is. Neither `Debug` nor `Display` shows a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// In the memory of the process, for trials: gone when it ends.
    Memory,
    /// In a file, which one process at a time uses.
    Sqlite(PathBuf),
    /// In a database that any number of processes share.
    Postgres(Box<PostgresUrl>),
}

/// What is wrong with a text that should be the address of a store. It never quotes the text, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreUrlError(String);

/// The kinds that there are.
const KINDS: &str = "expected the URL of a store: sqlite:///PATH, postgres://USER@HOST/DATABASE, or sqlite::memory: for trials";

impl StoreUrl {
    /// Takes a URL of one of the three kinds.
    ///
    /// # Errors
    /// Says what was expected.
    pub fn parse(text: &str) -> Result<Self, StoreUrlError> {
        let Some((scheme, rest)) = text.split_once(':') else { return expected(KINDS) };
        match scheme.to_ascii_lowercase().as_str() {
            "sqlite" if rest == ":memory:" => Ok(Self::Memory),
            "sqlite" => sqlite_path(rest).map(Self::Sqlite),
            "postgres" | "postgresql" => match rest.strip_prefix("//") {
                Some(rest) => PostgresUrl::parse(rest).map(|url| Self::Postgres(Box::new(url))),
                None => expected(KINDS),
            },
            _ => expected(KINDS),
        }
    }

    /// The store's file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Memory | Self::Postgres(_) => None,
        }
    }

    /// The database on a server, if it is one.
    pub fn postgres(&self) -> Option<&PostgresUrl> {
        match self {
            Self::Postgres(url) => Some(url),
            Self::Memory | Self::Sqlite(_) => None,
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => formatter.write_str("sqlite::memory:"),
            Self::Sqlite(path) => write!(formatter, "sqlite://{}", path.display()),
            Self::Postgres(url) => url.fmt(formatter),
        }
    }
}

fn sqlite_path(rest: &str) -> Result<PathBuf, StoreUrlError> {
    let absolute = rest.strip_prefix("//").filter(|path| path.starts_with('/') && path.len() > 1);
    let Some(path) = absolute else {
        return expected("expected sqlite:///PATH with three slashes: the path of a file starts with /");
    };
    if path.contains(['?', '#']) {
        return expected("expected sqlite:///PATH alone, without ? or #: a store has no parameters");
    }
    if path.ends_with('/') {
        return expected("expected the path of a file behind sqlite://, not of a folder");
    }
    Ok(PathBuf::from(decoded(path)?))
}

/// Replaces `%20` and the like.
fn decoded(text: &str) -> Result<String, StoreUrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => escaped(rest.next(), rest.next())?,
            byte => byte,
        });
    }
    let text = String::from_utf8(bytes).ok().filter(|text| !text.contains(char::is_control));
    text.map_or_else(|| expected("expected printable UTF-8 text behind each % of the URL"), Ok)
}

fn escaped(high: Option<u8>, low: Option<u8>) -> Result<u8, StoreUrlError> {
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
    let number = digit(high).zip(digit(low)).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
    number.map_or_else(
        || expected("expected two hexadecimal digits behind each % of the URL; % itself is written %25"),
        Ok,
    )
}

fn expected<T>(what: impl Into<String>) -> Result<T, StoreUrlError> {
    Err(StoreUrlError(what.into()))
}
