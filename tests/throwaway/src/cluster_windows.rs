//! One server on Windows: `pg_ctl` starts and stops it on a free TCP port.
//!
//! Plainer than on Unix: no template, and a process that is killed leaves its
//! server running. `pg_ctl` gives up administrator rights by itself.

use std::{
    fmt::Write,
    fs, io,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use crate::{Builder, StartError};

/// Stops the server and removes its folder when dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    dir: PathBuf,
    pid: u32,
    port: u16,
    pg_ctl: PathBuf,
}

impl Cluster {
    pub(crate) fn start(bin: &Path, builder: &Builder) -> Result<Self, StartError> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("throwaway-pg-{}-{number}", process::id());
        let dir = std::env::temp_dir().join(name);
        fs::create_dir(&dir)
            .map_err(|e| StartError::io(format!("failed to make {}", dir.display()), e))?;

        // From here on, dropping this value tidies up.
        let mut cluster = Self {
            dir,
            pid: 0,
            port: free_port()
                .map_err(|e| StartError::io("failed to find a free port on 127.0.0.1", e))?,
            pg_ctl: bin.join("pg_ctl.exe"),
        };
        cluster.launch(bin, builder)?;
        Ok(cluster)
    }

    pub(crate) fn url(&self, database: &str) -> String {
        let database = crate::percent_encode(database).replace('/', "%2F");
        format!("postgresql://postgres@127.0.0.1:{}/{database}", self.port)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    fn launch(&mut self, bin: &Path, builder: &Builder) -> Result<(), StartError> {
        let data = self.data();
        let log = self.dir.join("server.log");

        let mut initdb = crate::command(bin.join("initdb.exe"));
        initdb
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8"])
            .args(["--no-locale", "-N", "-D"])
            .arg(&data);
        self.run(initdb, "initdb")?;

        // In the file rather than on the command line, where `pg_ctl` would need
        // another layer of quotes.
        let config = data.join("postgresql.conf");
        let mut text = fs::read_to_string(&config)
            .map_err(|e| StartError::io(format!("failed to read {}", config.display()), e))?;
        let port = self.port.to_string();
        let mut settings = builder.all_settings();
        settings.extend([("port", port.as_str()), ("listen_addresses", "127.0.0.1")]);
        for (name, value) in settings {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n{name} = '{}'", value.replace('\'', "''"));
        }
        text.push('\n');
        fs::write(&config, text)
            .map_err(|e| StartError::io(format!("failed to write {}", config.display()), e))?;

        let mut start = crate::command(&self.pg_ctl);
        start
            .args(["start", "-w", "-t", "60", "-D"])
            .arg(&data)
            .arg("-l")
            .arg(&log);
        self.run(start, "pg_ctl start")?;

        let status = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        self.pid = status
            .lines()
            .next()
            .and_then(|line| line.trim().parse().ok())
            .ok_or_else(|| StartError::failed("the server did not tell its process id"))?;
        Ok(())
    }

    /// Runs `command`; its failure ends with the log of the server, if there is one.
    fn run(&self, mut command: Command, what: &str) -> Result<(), StartError> {
        // No pipes: the server inherits them, and reading to the end would wait for
        // the end of the server.
        let status = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(|e| StartError::io(format!("failed to run `{what}`"), e))?;
        if status.success() {
            return Ok(());
        }
        let log = fs::read_to_string(self.dir.join("server.log")).unwrap_or_default();
        Err(StartError::failed(format!(
            "`{what}` ended with {status}\n{log}"
        )))
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut stop = crate::command(&self.pg_ctl);
        stop.args(["stop", "-m", "immediate", "-w", "-D"])
            .arg(self.data());
        // Fails if the server never started, and then there is nothing to stop.
        let _ = self.run(stop, "pg_ctl stop");
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A port that was free a moment ago. Another program may take it in between, in
/// which case the start fails and says so.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
