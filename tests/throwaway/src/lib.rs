//! A throw-away PostgreSQL: one call starts it, nothing is left behind.
//!
//! For tests, for the quickstart example and for `cargo xtask`. The server is
//! made of the binaries found on the machine (see [`bin_dir`]); nothing is
//! downloaded and no running PostgreSQL is touched.
//!
//! ```no_run
//! # fn main() -> Result<(), throwaway_postgres::StartError> {
//! let postgres = throwaway_postgres::Postgres::start()?;
//! println!("psql '{}'", postgres.url("postgres"));
//! # Ok(())
//! # }
//! ```
//!
//! # How it is put together
//!
//! ```text
//! this process ──pipe──► supervisor (sh) ──► postgres
//!                             │
//!                             └─ pipe closed ──► stop the server, remove its folder
//! ```
//!
//! The pipe closes when [`Postgres`] is dropped and, because the kernel does it,
//! also when this process is interrupted, aborted or killed. So it is safe to keep
//! a server in a `static`, which Rust never drops.
//!
//! # Invariants (Unix)
//!
//! - The server listens on a Unix socket only. There is no port to collide on, and
//!   only the server's own user (and root) can reach the socket.
//! - A folder in use is locked by the process that uses it. An unlocked folder is a
//!   leftover of a machine or supervisor that died, and the next start removes it.
//! - A process killed before its supervisor runs, which takes milliseconds, or half a
//!   second when the template is made, may leave such a folder, but no server.
//! - As root, which PostgreSQL refuses, everything runs as `postgres` or `nobody`.
//!
//! # Where the files are
//!
//! In the folder for temporary files (`TMPDIR`), or in /tmp if that has a long path
//! or the server's user cannot write to it. `TMPDIR=/dev/shm`, where it is large
//! enough (50 MB a server and more), makes starts quick on every machine; ext4
//! without a journal takes 0.5 s instead of 0.1 s, because it avoids the inodes of
//! the files that the server before just deleted.
//!
//! # Windows
//!
//! There the server listens on a free TCP port of 127.0.0.1, open to all users of
//! the machine, and cleaning up is left to `Drop`: a killed process leaves its
//! server running. No test has run there yet.

mod error;
mod find;

#[cfg(unix)]
mod cluster_unix;
#[cfg(unix)]
mod folder;
#[cfg(unix)]
mod template;
#[cfg(unix)]
mod user;

#[cfg(windows)]
mod cluster_windows;

use std::{
    env,
    ffi::OsStr,
    fmt::Write,
    path::{Path, PathBuf},
    process::Command,
};

#[cfg(unix)]
use crate::cluster_unix::Cluster;
#[cfg(windows)]
use crate::cluster_windows::Cluster;

pub use crate::{error::StartError, find::bin_dir};

/// A running PostgreSQL server that ends with this value, or with this process.
///
/// Its superuser is `postgres`, without a password; its only database besides the
/// templates is `postgres`; encoding UTF-8, locale C. Dropping it stops the server
/// without a checkpoint and removes its files, which takes about 30 ms.
#[derive(Debug)]
pub struct Postgres {
    cluster: Cluster,
}

impl Postgres {
    /// Starts a server with the default settings of [`Builder`].
    ///
    /// Takes about 0.6 s the first time and about 0.1 s from then on.
    ///
    /// # Errors
    ///
    /// See [`Builder::start`].
    pub fn start() -> Result<Self, StartError> {
        Self::builder().start()
    }

    /// Configures a server before it starts.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Returns the connection URL of `database`, which need not exist yet.
    ///
    /// sqlx, `psql` and everything else built on libpq understand it. It names the
    /// port as well, since clients would otherwise take it from `PGPORT`.
    pub fn url(&self, database: &str) -> String {
        self.cluster.url(database)
    }

    /// Returns the folder with all files of this server, the socket included.
    ///
    /// The server's messages are in `server.log` there, its data in `data`.
    pub fn dir(&self) -> &Path {
        self.cluster.dir()
    }

    /// Returns the process id of the server.
    pub fn pid(&self) -> u32 {
        self.cluster.pid()
    }

    /// Tells the server to stop, and returns at once. Its files stay.
    ///
    /// May be called again, with a quicker way.
    ///
    /// # Errors
    ///
    /// If the signal could not be sent.
    #[cfg(unix)]
    pub fn shut_down(&self, how: Shutdown) -> Result<(), StartError> {
        self.cluster.shut_down(how)
    }

    /// Waits until the server has ended, and starts it again: with the same data, at the
    /// same URL, under another process id.
    ///
    /// # Errors
    ///
    /// If it has not ended after 60 s (nobody has told it to, or a smart shutdown waits for
    /// its clients), or does not start.
    #[cfg(unix)]
    pub fn start_again(&mut self) -> Result<(), StartError> {
        self.cluster.start_again()
    }
}

/// How a server stops. See [`Postgres::shut_down`].
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Lets no more clients in, and waits until those that are there have left.
    Smart,
    /// Disconnects all clients, whose transactions are rolled back.
    Fast,
    /// Ends as in a crash: the next start replays the log. What was committed is kept if
    /// the server is [durable](Builder::durable).
    Immediate,
}

/// Configures a [`Postgres`]. Created by [`Postgres::builder`].
///
/// Setters only record a value; [`start`](Self::start) checks them.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `start` is called"]
pub struct Builder {
    bin_dir: Option<PathBuf>,
    durable: bool,
    cache_template: bool,
    settings: Vec<(String, String)>,
    /// The folder of the server that this one is to follow.
    #[cfg(unix)]
    primary: Option<PathBuf>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            bin_dir: None,
            durable: false,
            cache_template: true,
            settings: Vec::new(),
            #[cfg(unix)]
            primary: None,
        }
    }
}

impl Builder {
    /// Takes `initdb` and `postgres` from this folder. Default: see [`bin_dir`].
    pub fn bin_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.bin_dir = Some(path.into());
        self
    }

    /// Chooses whether commits survive a crash of the machine. Default: `false`.
    ///
    /// `false` turns off `fsync`, `synchronous_commit` and `full_page_writes`, which
    /// makes tests several times faster. `true` leaves all three as PostgreSQL
    /// delivers them, so that a benchmark measures what users will see.
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Chooses whether to keep a fresh data folder for later starts. Default: `true`.
    ///
    /// `true` runs `initdb` once a day and copies its result (about 40 MB in the
    /// folder for temporary files) from then on: 0.1 s instead of 0.6 s a start.
    /// `false` leaves nothing at all behind, which suits a demo. On Windows nothing
    /// is ever kept.
    pub fn cache_template(mut self, cache_template: bool) -> Self {
        self.cache_template = cache_template;
        self
    }

    /// Sets a PostgreSQL setting, as in `postgresql.conf`. The last one of a name wins.
    ///
    /// `max_connections` is 200 unless set here. The port and the socket folder
    /// cannot be changed.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Makes the server a standby of `primary`, which streams to it and may be read from. Needs
    /// `pg_basebackup` beside the other binaries.
    ///
    /// `SELECT pg_promote()` makes it a primary.
    #[cfg(unix)]
    pub fn standby_of(mut self, primary: &Postgres) -> Self {
        self.primary = Some(primary.dir().to_owned());
        self
    }

    /// Starts the server and returns once it accepts connections.
    ///
    /// Gives up after 60 s. Any number of threads and processes may start servers
    /// at the same time.
    ///
    /// # Errors
    ///
    /// [`StartError::is_not_found`] tells whether PostgreSQL is missing. Any other
    /// error means that binaries were found, or named, but do not work; its message
    /// ends with what PostgreSQL said.
    pub fn start(self) -> Result<Postgres, StartError> {
        let bin = find::locate(self.bin_dir.as_deref())?;
        let cluster = Cluster::start(&bin, &self)?;
        Ok(Postgres { cluster })
    }

    /// All settings besides the network ones; later entries win.
    fn all_settings(&self) -> Vec<(&str, &str)> {
        // Tests run many small pools at once; the default of 100 is soon used up.
        let mut all = vec![("max_connections", "200")];
        if !self.durable {
            all.extend([
                ("fsync", "off"),
                ("synchronous_commit", "off"),
                ("full_page_writes", "off"),
            ]);
        }
        all.extend(self.settings.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        all
    }
}

/// A command that PostgreSQL's own environment variables do not reach.
///
/// The caller may have `PGPORT`, `PGDATA` or `PGCLIENTENCODING` set for another
/// server, and the server programs would obey.
fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PG") {
            command.env_remove(name);
        }
    }
    // Error messages are shown to developers who read the English documentation.
    command.env("LC_ALL", "C");
    command
}

/// Escapes everything in `text` that has a meaning in a URL, except slashes.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_escape_what_is_special() {
        assert_eq!(percent_encode("/tmp/a b&c=ü"), "/tmp/a%20b%26c%3D%C3%BC");
    }

    #[test]
    fn durable_leaves_the_defaults_of_postgresql() {
        let builder = Postgres::builder().durable(true).setting("work_mem", "8MB");
        assert_eq!(
            builder.all_settings(),
            [("max_connections", "200"), ("work_mem", "8MB")]
        );
    }
}
