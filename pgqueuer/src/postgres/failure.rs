//! Errors of the database, in the words of this crate.

use crate::error::{Error, ErrorKind};

/// `invalid_schema_name`, `undefined_table`, `undefined_function`, `undefined_column`,
/// `undefined_object`: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
const SCHEMA_IS_MISSING: [&str; 5] = ["3F000", "42P01", "42883", "42703", "42704"];

/// See `pgqueuer.enqueue_unique` in the schema.
const KEY_IS_TAKEN: &str = "PQ002";

/// The schema has said it all.
fn conflict(error: &sqlx::Error) -> Error {
    let said = error.as_database_error().map_or("", |it| it.message());
    let said = said.strip_prefix("pgqueuer: ").unwrap_or(said);
    Error::new(ErrorKind::Conflict, said)
}

/// Returns a function for `map_err`; `action` completes "failed to …".
pub(crate) fn failed_to(action: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |error| {
        let code = error.as_database_error().and_then(|it| it.code());
        if code.as_deref() == Some(KEY_IS_TAKEN) {
            return conflict(&error);
        }
        if code.is_some_and(|code| SCHEMA_IS_MISSING.contains(&code.as_ref())) {
            return Error::new(
                ErrorKind::Schema,
                format!(
                    "failed to {action}: the schema is missing or not up to date; \
                     run `pgq install` (or the `install` command of your worker)"
                ),
            )
            .because(error);
        }
        Error::new(ErrorKind::Database, format!("failed to {action}")).because(error)
    }
}
