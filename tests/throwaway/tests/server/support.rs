//! Children, their reports, and looking for what they left.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{self, Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use throwaway_postgres::Postgres;

/// A folder of its own for temporary files, open to the server's user.
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
    reports: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let mut parent = env::temp_dir();
        if parent.as_os_str().len() > 20 {
            // The socket below needs a short path.
            parent = PathBuf::from("/tmp");
        }
        let root = parent.join(format!("pg-test-{}-{number}", process::id()));
        let place = Self {
            dir: root.join("t"),
            reports: root.clone(),
        };
        fs::create_dir_all(&place.dir).unwrap();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&place.dir, fs::Permissions::from_mode(0o1777)).unwrap();
        place
    }

    pub(crate) fn command(&self, mode: &str) -> Command {
        let mut command = child_command(mode, &self.reports.join("report"));
        command.env("TMPDIR", &self.dir);
        command
    }

    pub(crate) fn run(&self, mode: &str) -> Output {
        self.command(mode).output().unwrap()
    }

    pub(crate) fn spawn(&self, mode: &str) -> Child {
        self.command(mode)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    pub(crate) fn wait_for_report(&self, child: &mut Child) -> Report {
        let path = self.reports.join("report");
        eventually("the child reports", || {
            path.exists() || child.try_wait().unwrap().is_some()
        });
        Report::read(&path).expect("the child started a server")
    }

    pub(crate) fn entries(&self) -> Vec<PathBuf> {
        entries(&self.dir)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.reports);
    }
}

/// What a child says about its server.
pub(crate) struct Report {
    pub(crate) dir: PathBuf,
    pub(crate) pid: u32,
    pub(crate) sleeper: u32,
}

impl Report {
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let mut lines = text.lines();
        Some(Self {
            dir: PathBuf::from(lines.next()?),
            pid: lines.next()?.parse().ok()?,
            sleeper: lines.next()?.parse().ok()?,
        })
    }

    pub(crate) fn assert_gone_soon(&self) {
        eventually("the server ends", || !is_running(self.pid));
        eventually("its folder is removed", || !self.dir.exists());
    }
}

pub(crate) fn child_command(mode: &str, report: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "child", "--nocapture"])
        .env("THROWAWAY_CHILD", mode)
        .env("THROWAWAY_REPORT", report);
    command
}

/// Runs one statement with `psql`, which every PostgreSQL package brings along.
pub(crate) fn query(postgres: &Postgres, statement: &str) -> String {
    let output = Command::new("psql")
        .args(["-X", "-A", "-t", "-c", statement])
        .arg(postgres.url("postgres"))
        .output()
        .expect("psql is on the PATH");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

/// Whether a process exists and is more than a zombie.
pub(crate) fn is_running(pid: u32) -> bool {
    let state = process_column("stat", pid);
    !state.is_empty() && !state.starts_with('Z')
}

/// One column of `ps` for one process; empty if there is no such process.
pub(crate) fn process_column(column: &str, pid: u32) -> String {
    let output = Command::new("ps")
        .args(["-o", &format!("{column}="), "-p", &pid.to_string()])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The command lines of all processes.
pub(crate) fn all_processes() -> String {
    let output = Command::new("ps")
        .args(["-A", "-o", "args="])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits for `condition`, ten times as long as it should take on an idle machine.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
