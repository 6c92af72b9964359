//! Statements: one text for both databases.

/// Runs a statement with its values within a [`Transaction`](super::database::Transaction), and evaluates to the number of
/// rows that it changed. Unnamed on a server: through a pooler of transactions, a named one can be somebody else's.
macro_rules! execute {
    ($transaction:expr, $sql:expr $(, $value:expr)* $(,)?) => {{
        let transaction: &mut $crate::store::database::Transaction = $transaction;
        let monitor = transaction.monitor.clone();
        match &mut transaction.connection {
            $crate::store::database::Connection::Sqlite(connection) => {
                let statement = sqlx::query::<sqlx::Sqlite>($sql)$(.bind($value))*.execute(&mut **connection);
                $crate::store::database::observed(&monitor, transaction.limit, statement)
                    .await
                    .map(|done| done.rows_affected())
            }
            $crate::store::database::Connection::Postgres(connection) => {
                let statement = sqlx::query::<sqlx::Postgres>($sql)$(.bind($value))*.persistent(false).execute(&mut **connection);
                $crate::store::database::observed(&monitor, transaction.limit, statement)
                    .await
                    .map(|done| done.rows_affected())
            }
        }
    }};
}

/// The same of a query, as one of `fetch_all`, `fetch_one` and `fetch_optional` gives rows of a type.
macro_rules! query {
    ($transaction:expr, $fetch:ident $row:ty, $sql:expr $(, $value:expr)* $(,)?) => {{
        let transaction: &mut $crate::store::database::Transaction = $transaction;
        let monitor = transaction.monitor.clone();
        match &mut transaction.connection {
            $crate::store::database::Connection::Sqlite(connection) => {
                let statement = sqlx::query_as::<sqlx::Sqlite, $row>($sql)$(.bind($value))*.$fetch(&mut **connection);
                $crate::store::database::observed(&monitor, transaction.limit, statement).await
            }
            $crate::store::database::Connection::Postgres(connection) => {
                let statement = sqlx::query_as::<sqlx::Postgres, $row>($sql)$(.bind($value))*.persistent(false).$fetch(&mut **connection);
                $crate::store::database::observed(&monitor, transaction.limit, statement).await
            }
        }
    }};
}
