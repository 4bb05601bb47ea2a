//! One server on Unix: a run folder, a supervisor and a socket.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    Builder, Shutdown, StartError,
    folder::{self, Folder},
    template::{self, Template},
    user::ServerUser,
};

/// Part of the socket's file name only, since every server has its own folder.
const PORT: &str = "5432";

/// What `pg_basebackup` gets besides the folder. `-R`: the result is a standby.
const BASE_BACKUP_ARGUMENTS: &str = "-U postgres -c fast -N -R";

/// How long a server may take to accept connections. A guess: `initdb` on a machine
/// with a slow disk and many other things to do.
const START_LIMIT: Duration = Duration::from_mins(1);

/// Stops the server and removes its folder when dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    dir: PathBuf,
    pid: u32,
    user: ServerUser,
    /// Ends, and tidies up, when its standard input is closed.
    supervisor: Child,
}

impl Cluster {
    pub(crate) fn start(bin: &Path, builder: &Builder) -> Result<Self, StartError> {
        let user = ServerUser::detect()?;
        let version = version(bin, &user)?;
        let run = folder::claim_run(&user)?;
        let base = run.path.parent().unwrap_or(&run.path).to_path_buf();
        folder::sweep(&base, &template::prefix_of_today(), &user);

        if builder.cache_template
            && builder.primary.is_none()
            && let Some(template) = Template::get(&base, bin, &version, &user)
        {
            let started = Self::launch(bin, builder, &user, run, Some(&template));
            if started.is_ok() {
                return started;
            }
            // The template may have been damaged since it was made. If it is not to
            // blame, the start from scratch fails for the same reason.
            template.discard();
            let run = folder::claim_run(&user)?;
            return Self::launch(bin, builder, &user, run, None);
        }
        Self::launch(bin, builder, &user, run, None)
    }

    pub(crate) fn url(&self, database: &str) -> String {
        // `base_in` let no path through that is not UTF-8.
        let dir = self.dir.to_string_lossy();
        format!(
            "postgresql:///{}?host={}&port={PORT}&user=postgres",
            crate::percent_encode(database).replace('/', "%2F"),
            crate::percent_encode(&dir)
        )
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Tells the server to stop, and does not wait for that.
    pub(crate) fn shut_down(&self, how: Shutdown) -> Result<(), StartError> {
        let signal = match how {
            Shutdown::Smart => "-TERM",
            Shutdown::Fast => "-INT",
            Shutdown::Immediate => "-QUIT",
        };
        // Not by `user`, who is the same or less: the server may belong to somebody else.
        let sent = crate::command("kill")
            .args([signal, &self.pid.to_string()])
            .output()
            .map_err(|e| StartError::io("failed to run kill", e))?;
        if sent.status.success() || self.has_ended() {
            return Ok(());
        }
        let reason = String::from_utf8_lossy(&sent.stderr);
        Err(StartError::failed(format!(
            "failed to signal the server: {}",
            reason.trim()
        )))
    }

    /// Waits until the server has ended, and starts it on the same data.
    pub(crate) fn start_again(&mut self) -> Result<(), StartError> {
        let deadline = Instant::now() + START_LIMIT;
        while !self.has_ended() {
            if Instant::now() > deadline {
                let seconds = START_LIMIT.as_secs();
                return Err(self.failure(&format!("PostgreSQL has not ended after {seconds} s")));
            }
            thread::sleep(Duration::from_millis(2));
        }
        // What is there is of the server before.
        for stale in ["data/postmaster.pid", "ended"] {
            match fs::remove_file(self.dir.join(stale)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    return Err(StartError::io(format!("failed to remove {stale}"), e));
                }
                _ => {}
            }
        }
        let orders = self.supervisor.stdin.as_mut();
        orders
            .map_or(Ok(()), |it| it.write_all(b"start\n"))
            .map_err(|e| StartError::io("failed to reach the supervisor", e))?;
        self.pid = self.wait_until_ready(&self.dir.join("data/postmaster.pid"))?;
        Ok(())
    }

    fn has_ended(&self) -> bool {
        self.dir.join("ended").exists()
    }

    /// Starts a supervisor and waits for its server.
    fn launch(
        bin: &Path,
        builder: &Builder,
        user: &ServerUser,
        run: Folder,
        template: Option<&Template>,
    ) -> Result<Self, StartError> {
        let Folder { path: dir, lock } = run;
        let data = dir.join("data");
        let mut command = user.command("/bin/sh");
        let (maker, arguments) = match &builder.primary {
            Some(primary) => {
                // Not among the arguments, where a space would make two of a folder.
                command.env("PGHOST", primary).env("PGPORT", PORT);
                ("pg_basebackup", BASE_BACKUP_ARGUMENTS.to_owned())
            }
            None => ("initdb", template::INITDB_ARGUMENTS.join(" ")),
        };
        command
            .args(["-c", include_str!("supervisor.sh"), "throwaway-postgres"])
            .arg(&dir)
            .arg(template.map_or(Path::new(""), |it| &it.path))
            .arg(bin.join(maker))
            .arg(arguments)
            .arg(bin.join("postgres"))
            .arg("-D")
            .arg(&data);
        for (name, value) in builder.all_settings() {
            command.args(["-c", &format!("{name}={value}")]);
        }
        // Last, so that no setting of the caller can make the URL wrong.
        command
            .args(["-c", &format!("port={PORT}"), "-c", "listen_addresses="])
            .arg("-c")
            .arg(format!("unix_socket_directories=\"{}\"", dir.display()))
            // The write end is closed on exec, so no other child of ours keeps it
            // open when we are gone.
            .stdin(Stdio::piped())
            // Hands over the lock: it now lasts as long as the supervisor.
            .stdout(lock)
            .stderr(Stdio::null())
            // Ctrl-C in a terminal must reach the program, not the server under it.
            .process_group(0);
        let supervisor = command.spawn().map_err(|e| {
            folder::remove([dir.as_path()], user);
            StartError::io("failed to run /bin/sh", e)
        })?;
        // The command holds a copy of the lock as long as it exists.
        drop(command);

        let mut cluster = Self {
            dir,
            pid: 0,
            user: user.clone(),
            supervisor,
        };
        cluster.pid = cluster.wait_until_ready(&data.join("postmaster.pid"))?;
        Ok(cluster)
    }

    /// Returns the process id of the server as soon as it accepts connections.
    fn wait_until_ready(&mut self, status_file: &Path) -> Result<u32, StartError> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let status = fs::read_to_string(status_file).unwrap_or_default();
            if let Some(pid) = pid_if_ready(&status) {
                return Ok(pid);
            }
            let supervisor_ended = !matches!(self.supervisor.try_wait(), Ok(None));
            if supervisor_ended || self.has_ended() {
                return Err(self.failure("PostgreSQL did not start"));
            }
            if Instant::now() > deadline {
                let seconds = START_LIMIT.as_secs();
                return Err(self.failure(&format!("PostgreSQL was not ready after {seconds} s")));
            }
            // Not worth a notification: a server is ready after some 25 ms.
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// An error that ends with the last lines of the server's log.
    fn failure(&self, what: &str) -> StartError {
        let log = fs::read(self.dir.join("server.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(10)..];
        if last.is_empty() {
            return StartError::failed(format!("{what}, and said nothing"));
        }
        StartError::failed(format!("{what}:\n{}", last.join("\n")))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
        // Still there only if the supervisor was killed. A server that finds its
        // data gone ends by itself, within a minute.
        if self.dir.exists() {
            folder::remove([self.dir.as_path()], &self.user);
        }
    }
}

/// Reads the server's status file: its id is on line 1, its state on line 8.
fn pid_if_ready(status: &str) -> Option<u32> {
    let mut lines = status.lines();
    let pid = lines.next()?.trim().parse().ok()?;
    let state = lines.nth(6)?;
    (state.trim() == "ready").then_some(pid)
}

/// Asks `postgres` for its version, which shows that the user may run it, too.
fn version(bin: &Path, user: &ServerUser) -> Result<String, StartError> {
    let program = bin.join("postgres");
    let failed = |e: io::Error| {
        StartError::io(
            format!(
                "failed to run {} as user {}; binaries below a private home folder \
                 must be moved to where that user can read them",
                program.display(),
                user.name()
            ),
            e,
        )
    };
    let output = user
        .command(&program)
        .arg("--version")
        .output()
        .map_err(failed)?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(failed(io::Error::other(reason)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_ready_when_its_status_says_so() {
        let status = |state| format!("42\n/data\n1\n5432\n/run\n\n 1 2\n{state}\n");
        assert_eq!(pid_if_ready(&status("starting")), None);
        assert_eq!(pid_if_ready(&status("ready   ")), Some(42));
        assert_eq!(pid_if_ready(""), None);
    }
}
