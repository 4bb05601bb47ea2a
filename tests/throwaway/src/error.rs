//! What can go wrong when a server is started.

use std::{error::Error, fmt, io, path::Path};

/// A server that did not start, and why.
///
/// The message names the thing at fault and the next step. Branch on
/// [`is_not_found`](Self::is_not_found) only.
#[derive(Debug)]
pub struct StartError {
    kind: Kind,
    message: String,
    source: Option<io::Error>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    NotFound,
    Failed,
}

impl StartError {
    /// Returns whether this machine has no PostgreSQL server binaries.
    ///
    /// False if a folder was named, by `PGQ_PG_BIN` or
    /// [`Builder::bin_dir`](crate::Builder::bin_dir), and is wrong: a person who
    /// asked for one PostgreSQL does not want to run without any.
    pub fn is_not_found(&self) -> bool {
        self.kind == Kind::NotFound
    }

    pub(crate) fn not_found() -> Self {
        Self {
            kind: Kind::NotFound,
            message: format!(
                "found no PostgreSQL server binaries on the PATH or in the usual folders; \
                 {}, or set PGQ_PG_BIN to the folder with `initdb` and `postgres`",
                how_to_install()
            ),
            source: None,
        }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Failed,
            message: message.into(),
            source: None,
        }
    }

    pub(crate) fn io(message: impl Into<String>, source: io::Error) -> Self {
        Self {
            kind: Kind::Failed,
            message: message.into(),
            source: Some(source),
        }
    }
}

// The source is left out on purpose: reporters walk the chain themselves, and
// printing it here would show it twice.
impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.source.as_ref()?;
        Some(source)
    }
}

/// Package managers of Linux and what to tell them. Which one is there matters more
/// than what the distribution calls itself.
const MANAGERS: [(&str, &str); 5] = [
    ("/usr/bin/apt-get", "run `sudo apt-get install postgresql`"),
    ("/usr/bin/dnf", "run `sudo dnf install postgresql-server`"),
    (
        "/usr/bin/zypper",
        "run `sudo zypper install postgresql-server`",
    ),
    ("/usr/bin/pacman", "run `sudo pacman -S postgresql`"),
    ("/sbin/apk", "run `sudo apk add postgresql`"),
];

/// The one command that installs PostgreSQL on this platform.
fn how_to_install() -> &'static str {
    if cfg!(target_os = "macos") {
        return "run `brew install postgresql@17`";
    }
    if cfg!(windows) {
        return "run `winget install PostgreSQL.PostgreSQL.17`";
    }
    MANAGERS
        .iter()
        .find(|(program, _)| Path::new(program).exists())
        .map_or("install the PostgreSQL server", |(_, advice)| advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_missing_binaries_count_as_not_found() {
        assert!(StartError::not_found().is_not_found());
        assert!(!StartError::failed("no space left").is_not_found());
    }

    #[test]
    fn a_missing_postgresql_comes_with_a_next_step() {
        let message = StartError::not_found().to_string();
        assert!(message.contains("PGQ_PG_BIN"), "{message}");
        assert!(message.contains("install"), "{message}");
    }
}
