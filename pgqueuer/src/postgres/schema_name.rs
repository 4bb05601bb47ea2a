//! The name of the schema, checked and quoted once.

use crate::error::{Error, Result};

/// Names the schema that a queue lives in. Default: `pgqueuer`.
///
/// 1 to 48 bytes. Any characters but quotes, backslashes, dollar signs and control
/// characters; always quoted, so `My Schema` is as good a name as any. Names that begin
/// with `pg_` belong to PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaName(String);

impl SchemaName {
    // PostgreSQL allows 63 bytes; the name of the notification channel needs some of them.
    const MAX_BYTES: usize = 48;

    /// Checks a name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), saying what is wrong with it.
    pub fn parse(name: &str) -> Result<Self> {
        let refused =
            |problem: String| Err(Error::config(format!("schema name {name:?} {problem}")));
        if name.is_empty() {
            return refused("is empty".to_owned());
        }
        if name.len() > Self::MAX_BYTES {
            return refused(format!(
                "is {} bytes long, at most {}",
                name.len(),
                Self::MAX_BYTES
            ));
        }
        let forbidden = |it: char| matches!(it, '\'' | '"' | '\\' | '$') || it.is_control();
        if let Some(character) = name.chars().find(|it| forbidden(*it)) {
            return refused(format!("contains {character:?}, which is not allowed"));
        }
        if name.starts_with("pg_") {
            return refused("begins with `pg_`, which PostgreSQL keeps for itself".to_owned());
        }
        Ok(Self(name.to_owned()))
    }

    /// The name without quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as SQL has it.
    pub(super) fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }

    /// What notifications go through; the same text as in `migrations/`.
    pub(super) fn channel(&self) -> String {
        self.render("pgqueuer.bell")
    }

    /// Puts this schema into a statement that was written for the schema `pgqueuer`.
    pub(super) fn render(&self, sql: &str) -> String {
        let quoted = self.quoted();
        sql.replace("pgqueuer.", &format!("{quoted}."))
            .replace(
                "SCHEMA IF NOT EXISTS pgqueuer",
                &format!("SCHEMA IF NOT EXISTS {quoted}"),
            )
            .replace("ON SCHEMA pgqueuer", &format!("ON SCHEMA {quoted}"))
    }
}

impl Default for SchemaName {
    fn default() -> Self {
        Self("pgqueuer".to_owned())
    }
}

impl std::fmt::Display for SchemaName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
