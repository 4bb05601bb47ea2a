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

    /// What wakes workers; the same text as in `migrations/`.
    pub(super) fn bell_channel(&self) -> String {
        self.render("pgqueuer.bell")
    }

    /// What tells those who wait which jobs have ended; the same text as in `migrations/`.
    pub(super) fn ends_channel(&self) -> String {
        self.render("pgqueuer.ends")
    }

    /// Puts this schema into a statement that was written for the schema `pgqueuer`.
    pub(super) fn render(&self, sql: &str) -> String {
        let quoted = self.quoted();
        let mut rendered = String::with_capacity(sql.len() + sql.len() / 8);
        let mut parts = sql.split("pgqueuer");
        let mut before = parts.next().unwrap_or_default();
        rendered.push_str(before);
        // In one pass: a name that was put in is not looked at again.
        for after in parts {
            let names_the_schema = after.starts_with('.')
                || before.ends_with("SCHEMA IF NOT EXISTS ")
                || before.ends_with("ON SCHEMA ");
            rendered.push_str(if names_the_schema {
                &quoted
            } else {
                "pgqueuer"
            });
            rendered.push_str(after);
            before = after;
        }
        rendered
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_put_in_wherever_the_schema_is_named_and_nowhere_else() {
        let sql = "CREATE SCHEMA IF NOT EXISTS pgqueuer; -- of pgqueuer\nSELECT 'pgqueuer.x', pgqueuer.y();";
        let schema = SchemaName::parse("a b").unwrap();
        assert_eq!(
            schema.render(sql),
            "CREATE SCHEMA IF NOT EXISTS \"a b\"; -- of pgqueuer\nSELECT '\"a b\".x', \"a b\".y();"
        );
    }

    #[test]
    fn a_name_that_looks_like_sql_stays_a_name() {
        let schema = SchemaName::parse("x ON SCHEMA pgqueuer.; DROP TABLE y").unwrap();
        assert_eq!(
            schema.render("SELECT pgqueuer.z"),
            "SELECT \"x ON SCHEMA pgqueuer.; DROP TABLE y\".z"
        );
    }
}
