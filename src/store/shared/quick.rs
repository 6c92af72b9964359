//! Statements that a request waits for. They have connections of their own and little time, and a database that is slow is left
//! alone for a while: whoever asks decides without it.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::FromRow;
use sqlx::postgres::PgRow;

use crate::store::database::Database;
use crate::store::error::StoreError;

/// How long a request waits for the store.
const LIMIT: Duration = Duration::from_millis(50);
/// The same for the server, which need not go on when nobody waits any more. And it has to see what others committed, whatever
/// its default is.
const BEGIN: &str = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = '50ms'";
/// After so many failures in a row, the store is left alone.
const MAX_FAILURES: u32 = 3;
/// For so long.
const PAUSE: Duration = Duration::from_secs(1);

/// How the latest quick statements ended.
#[derive(Default)]
pub(in crate::store) struct Quick(Mutex<Latest>);

#[derive(Default)]
struct Latest {
    failures: u32,
    paused_until: Option<Instant>,
}

/// A statement that goes to the server in one message, and so in one round trip. Its values stand in its text: only numbers
/// and words of this program can be put there.
pub(super) struct Statement(String);

impl Statement {
    /// Puts each value where its name stands in braces.
    pub(super) fn of(template: &'static str, values: &[(&'static str, Value)]) -> Self {
        let mut text = format!("{BEGIN}; {template}");
        for (name, value) in values {
            text = text.replace(&format!("{{{name}}}"), &value.to_string());
        }
        Self(text)
    }
}

/// A value as it stands in a statement.
pub(super) enum Value {
    Number(i64),
    Seconds(Duration),
    /// A word of this program and a number, such as `'user:1'`.
    Numbered(&'static str, u64),
    Process(uuid::Uuid),
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Seconds(time) => write!(formatter, "{:.9}", time.as_secs_f64()),
            Self::Numbered(word, number) => write!(formatter, "'{word}:{number}'"),
            Self::Process(id) => write!(formatter, "'{}'", id.simple()),
        }
    }
}

impl Quick {
    /// The last row of what a statement gives in little time.
    pub(super) async fn row<R>(&self, database: &Database, statement: Statement) -> Result<R, StoreError>
    where
        R: for<'a> FromRow<'a, PgRow> + Send + Unpin,
    {
        if self.lock().paused_until.is_some_and(|until| Instant::now() < until) {
            return Err(StoreError::Unavailable("it was slow a moment ago".to_owned()));
        }
        // Boxed, since it is large.
        let asked = Box::pin(database.ask_server(statement.0));
        let outcome = match tokio::time::timeout(LIMIT, asked).await {
            Ok(outcome) => outcome,
            Err(_) => Err(StoreError::Unavailable(format!("it took longer than {LIMIT:?}"))),
        };
        self.note(outcome.is_ok(), Instant::now());
        let row = outcome?.ok_or_else(|| StoreError::Unexpected("a row is missing".to_owned()))?;
        Ok(R::from_row(&row)?)
    }

    fn note(&self, is_good: bool, now: Instant) {
        let mut latest = self.lock();
        if is_good {
            *latest = Latest::default();
            return;
        }
        latest.failures += 1;
        if latest.failures >= MAX_FAILURES {
            // The next one tries again, and one failure is then enough.
            latest.paused_until = Some(now + PAUSE);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Latest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_database_is_left_alone_after_three_failures_in_a_row() {
        let (quick, now) = (Quick::default(), Instant::now());
        let until = || quick.lock().paused_until;
        for good in [false, false, true, false, false] {
            quick.note(good, now);
            assert_eq!(until(), None);
        }
        quick.note(false, now);
        assert_eq!(until(), Some(now + PAUSE));
        quick.note(true, now);
        assert_eq!(until(), None);
    }

    #[test]
    fn values_stand_in_the_text_where_their_names_stood() {
        let values = [
            ("caller", Value::Numbered("user", u64::MAX)),
            ("interval", Value::Seconds(Duration::from_nanos(1))),
            ("group", Value::Number(-7)),
            ("process", Value::Process(uuid::Uuid::nil())),
        ];
        let statement = Statement::of("SELECT {caller}, {interval}, {group}, {group}, {process}", &values);
        let expected =
            "SELECT 'user:18446744073709551615', 0.000000001, -7, -7, '00000000000000000000000000000000'";
        assert_eq!(statement.0, format!("{BEGIN}; {expected}"));
    }
}
