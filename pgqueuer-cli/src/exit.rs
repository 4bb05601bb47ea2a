//! How a command that did not succeed ends: exit codes and messages.

use std::{
    borrow::Cow,
    error::Error as StdError,
    fmt,
    io::{self, Write},
};

use pgqueuer::{BoxError, ErrorKind};

/// The exit codes. Scripts depend on them; the table in `README.md` says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ExitCode {
    /// Anything that has no code of its own.
    Unexpected = 1,
    /// An option, a setting, or the registration of the jobs is wrong. clap's code, too.
    Usage = 2,
    /// The database does not answer, or lets us not in.
    CannotConnect = 3,
    /// The schema is missing, or older or newer than this program needs.
    Schema = 4,
    /// What was asked for makes no sense here, would lose something, or cannot be had.
    Refused = 5,
}

impl ExitCode {
    /// For the end of the help text.
    pub(crate) const HELP: &str = "Exit codes: 0 done, 1 unexpected, 2 wrong usage, \
        3 cannot connect, 4 schema missing or out of date, 5 refused";
}

/// Why a command did not succeed, with the exit code that says so.
#[derive(Debug)]
pub struct Failure {
    code: ExitCode,
    message: String,
    source: Option<BoxError>,
}

impl Failure {
    pub(crate) fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: redact(&message.into()).into_owned(),
            source: None,
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, message)
    }

    pub(crate) fn schema(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Schema, message)
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Refused, message)
    }

    pub(crate) fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the process ends with. The codes are listed in the [crate] documentation.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.code as u8
    }

    /// Tells standard error, and ends the process.
    pub(crate) fn exit(&self) -> ! {
        // Nobody is left to be told that standard error is closed.
        let _ = writeln!(io::stderr(), "{}", self.report());
        std::process::exit(i32::from(self.exit_code()))
    }

    /// The message and what caused it, where there is one line for it, without passwords.
    pub(crate) fn in_a_line(&self) -> String {
        let report = self.report().replace("\ncaused by: ", ": ");
        let line = report.strip_prefix("error: ").unwrap_or(&report);
        line.replace('\n', " ")
    }

    /// The message and what caused it, a line each, without passwords.
    fn report(&self) -> String {
        let mut text = format!("error: {self}");
        let mut last = self.to_string();
        let mut next = self.source();
        while let Some(cause) = next {
            let line = redact(&cause.to_string()).into_owned();
            // Some errors (of sqlx, for one) repeat their source in their own message.
            if !last.contains(&line) {
                text += &format!("\ncaused by: {line}");
            }
            last = line;
            next = cause.source();
        }
        text
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}

impl From<pgqueuer::Error> for Failure {
    fn from(error: pgqueuer::Error) -> Self {
        let code = match error.kind() {
            ErrorKind::Schema => ExitCode::Schema,
            ErrorKind::Config => ExitCode::Usage,
            ErrorKind::Payload | ErrorKind::NotFound | ErrorKind::Conflict => ExitCode::Refused,
            _ => ExitCode::Unexpected,
        };
        // It stays in the chain for its sources; `report` does not say it twice.
        Self::new(code, error.to_string()).because(error)
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        let text = error.render().to_string();
        Self::usage(text.strip_prefix("error: ").unwrap_or(&text).trim_end())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(ExitCode::Unexpected, "failed to write the result").because(error)
    }
}

/// Hides the password of every URL in a text: somebody may have given a URL where none
/// belongs, and be told so.
fn redact(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split("://");
    let mut redacted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        redacted += "://";
        // The last `@`: one that belongs to a password may be written as it is.
        let word = part.find(char::is_whitespace).unwrap_or(part.len());
        match part[..word].rfind('@') {
            // Of the examples in our own messages.
            Some(end) if &part[..end] == "user:password" => redacted += part,
            Some(end) => {
                let user = part[..end].split(':').next().unwrap_or_default();
                redacted += user;
                redacted += ":***";
                redacted += &part[end..];
            }
            None => redacted += part,
        }
    }
    Cow::Owned(redacted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_hidden() {
        let text = "unexpected 'postgres://me:s3c@ret@host/db' and postgres://host/db";
        assert_eq!(
            redact(text),
            "unexpected 'postgres://me:***@host/db' and postgres://host/db"
        );
    }

    #[test]
    fn causes_are_said_once() {
        let inner = io::Error::other("refused");
        let failure = Failure::refused("no").because(format!("io: {inner}"));
        assert_eq!(failure.report(), "error: no\ncaused by: io: refused");
    }
}
