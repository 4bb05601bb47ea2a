//! PgBouncer in transaction mode, in front of a throw-away server.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use throwaway_postgres::Postgres;

use crate::{Result, postgres, shell, test::Server};

/// The name of the socket, since it listens to nothing else.
const PORT: &str = "6432";

/// How long it may take to listen. A hundred times what it takes.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Ends PgBouncer when its own input ends, which it does whatever becomes of this process. Neither
/// is told by a signal to the whole session. $1: the log. The rest: the command.
const SUPERVISOR: &str = r#"
trap '' HUP INT TERM
log=$1
shift
"$@" >"$log" 2>&1 </dev/null &
read -r line
kill $!
wait
"#;

/// What becomes of settings that a client sends when it connects.
#[derive(Clone, Copy)]
pub(crate) enum Unknown {
    Refused,
    Ignored,
}

/// Both end with this value, or with this process.
pub(crate) struct PgBouncer {
    supervisor: Child,
    server: Postgres,
}

impl PgBouncer {
    pub(crate) fn start(server: &Server, unknown: Unknown) -> Result<Self> {
        if !Self::is_at_hand()? {
            return Err("there is no PgBouncer on this machine; install `pgbouncer`".to_owned());
        }
        let server = server
            .builder()
            // Those of the cases, and those of the pooler for each of their databases.
            .setting("max_connections", "500")
            .start()
            .map_err(|error| format!("failed to start PostgreSQL: {error}"))?;
        // The folder of the server: it is removed with the server, whose user owns it.
        let dir = server.dir();
        let ini = dir.join("pgbouncer.ini");
        fs::write(&ini, settings(dir, unknown))
            .map_err(|error| format!("failed to write {}: {error}", ini.display()))?;
        let log = dir.join("pgbouncer.log");
        let mut command = Command::new("sh");
        command.args(["-c", SUPERVISOR, "sh"]).arg(&log);
        command.arg("pgbouncer");
        if postgres::is_root() {
            // It refuses to run as root, as PostgreSQL does.
            let owner = shell::program("stat", &["-c", "%U", &dir.to_string_lossy()]);
            command.args(["-u", shell::output(owner)?.trim()]);
        }
        let supervisor = command
            .arg(&ini)
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|error| format!("failed to run `sh`: {error}"))?;
        let pgbouncer = Self { supervisor, server };
        pgbouncer.wait(&log)?;
        Ok(pgbouncer)
    }

    /// Whether it is installed, or could be.
    pub(crate) fn is_at_hand() -> Result<bool> {
        let version = || shell::program("pgbouncer", &["--version"]).output();
        if version().is_err() && postgres::can_install() {
            postgres::install_package("pgbouncer")?;
        }
        Ok(version().is_ok())
    }

    fn wait(&self, log: &Path) -> Result {
        let socket = self.server.dir().join(format!(".s.PGSQL.{PORT}"));
        let start = Instant::now();
        while !socket.exists() {
            if start.elapsed() > START_TIMEOUT {
                let said = fs::read_to_string(log).unwrap_or_default();
                return Err(format!("PgBouncer did not start\n{}", said.trim()));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// The server itself.
    pub(crate) fn server_url(&self) -> String {
        self.server.url("postgres")
    }

    /// The server, by the pooler.
    pub(crate) fn url(&self) -> String {
        let url = self.server_url();
        url.replace("port=5432", &format!("port={PORT}"))
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

/// The search path is empty, as everywhere in the suite: a statement which forgets to name the
/// schema fails. Few connections for many clients, so that they are shared indeed.
fn settings(dir: &Path, unknown: Unknown) -> String {
    let dir = dir.display();
    let ignored = match unknown {
        Unknown::Refused => "extra_float_digits",
        Unknown::Ignored => "extra_float_digits, options",
    };
    format!(
        "[databases]
* = host={dir} port=5432 user=postgres connect_query='SELECT set_config(''search_path'', '''', false)'

[pgbouncer]
unix_socket_dir = {dir}
listen_port = {PORT}
listen_addr =
auth_type = any
pool_mode = transaction
ignore_startup_parameters = {ignored}
max_client_conn = 1000
default_pool_size = 30
"
    )
}
