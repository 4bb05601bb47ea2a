//! `cargo xtask test`: all tests, on whatever machine.

use std::{env, path::PathBuf, process::Command};

use throwaway_postgres::{Builder, Postgres};

use crate::{
    Result,
    pgbouncer::{PgBouncer, Unknown},
    postgres, promtool, shell,
};

/// The packages whose tests need a database.
const ON_POSTGRES: [&str; 4] = ["-p", "pgqueuer-tests", "-p", "pgqueuer-cli"];

pub(crate) fn run(args: &[String]) -> Result {
    if let Some((option, filters)) = args.split_first()
        && option == "--pgbouncer"
    {
        return behind_pgbouncer(filters);
    }
    let (versions, filters) = parse(args)?;
    if versions.is_empty() {
        return everything(&filters);
    }
    for version in versions {
        let server = Server::version(&version)?;
        let mut args = vec!["test", "--all-features", "--locked"];
        args.extend(ON_POSTGRES);
        args.extend(filters.iter().map(String::as_str));
        shell::run(server.cargo(&args))
            .map_err(|problem| format!("on PostgreSQL {version}: {problem}"))?;
    }
    Ok(())
}

/// Unit, integration and documentation tests, on any PostgreSQL; of all packages, unless
/// some are chosen with `-p`.
pub(crate) fn everything(filters: &[String]) -> Result {
    let server = Server::any()?;
    let mut args = vec!["test", "--all-features", "--locked"];
    if !filters.iter().any(|it| it == "-p" || it == "--package") {
        args.push("--workspace");
    }
    args.extend(filters.iter().map(String::as_str));
    let mut cargo = server.cargo(&args);
    if let Some(promtool) = promtool::find_or_fetch() {
        cargo.env("PGQ_PROMTOOL", promtool);
    }
    shell::run(cargo)
}

/// The conformance suite through PgBouncer; and again what shows how it is recognized, where it does
/// not refuse what workers send.
pub(crate) fn behind_pgbouncer(filters: &[String]) -> Result {
    let server = Server::any()?;
    for (unknown, usual) in [
        (Unknown::Refused, "conformance::"),
        (Unknown::Ignored, "conformance::postgres::pooled::"),
    ] {
        let pgbouncer = PgBouncer::start(&server, unknown)?;
        let mut args = vec!["test", "--all-features", "--locked", "-p", "pgqueuer-tests"];
        args.extend(["--test", "suite", "--", "--skip", "::memory"]);
        if filters.is_empty() {
            args.push(usual);
        }
        args.extend(filters.iter().map(String::as_str));
        let mut cargo = server.cargo(&args);
        cargo.env("PGQUEUER_TEST_DATABASE_URL", pgbouncer.server_url());
        cargo.env("PGQUEUER_TEST_POOLER_URL", pgbouncer.url());
        shell::run(cargo)?;
    }
    Ok(())
}

/// Versions of PostgreSQL, and what goes to cargo.
fn parse(args: &[String]) -> Result<(Vec<String>, Vec<String>)> {
    let mut versions = Vec::new();
    let mut filters = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let list = match arg.strip_prefix("--postgres") {
            Some("") => args.next().map(String::as_str),
            Some(rest) => rest.strip_prefix('='),
            None => {
                filters.push(arg.clone());
                continue;
            }
        };
        let list = list.ok_or("--postgres needs versions: --postgres 14,16,18")?;
        versions.extend(list.split(',').map(|it| it.trim().to_owned()));
    }
    Ok((versions, filters))
}

/// Where the tests find their PostgreSQL.
pub(crate) struct Server {
    /// `None`: the tests find it by themselves.
    bin: Option<PathBuf>,
}

impl Server {
    /// Whichever there is; fetches one if there is none.
    pub(crate) fn any() -> Result<Self> {
        let bin = postgres::find_or_fetch()?;
        Ok(Self { bin })
    }

    /// A certain version, fetched if need be.
    fn version(version: &str) -> Result<Self> {
        let bin = postgres::fetch(version)?;
        Ok(Self { bin: Some(bin) })
    }

    /// For a server of this process.
    pub(crate) fn builder(&self) -> Builder {
        let builder = Postgres::builder();
        match &self.bin {
            Some(bin) => builder.bin_dir(bin),
            None => builder,
        }
    }

    /// A cargo whose tests use this server.
    pub(crate) fn cargo(&self, args: &[&str]) -> Command {
        let mut command = shell::cargo(args);
        if let Some(bin) = &self.bin {
            command.env("PGQ_PG_BIN", bin);
        }
        // Servers are started and thrown away all the time. In memory, that takes a fifth
        // of the time that some file systems need to find room for 1,000 new files.
        if env::var_os("TMPDIR").is_none() && memory_is_usable() {
            command.env("TMPDIR", MEMORY);
        }
        command
    }
}

const MEMORY: &str = "/dev/shm";

/// Whether `/dev/shm` is a tmpfs of some size that programs may be run from: rustdoc puts
/// the tests that it compiles into `TMPDIR`, too, and containers often mount it `noexec`.
fn memory_is_usable() -> bool {
    const NEEDED_KIB: u64 = 2 * 1024 * 1024;
    // Only Linux has this file.
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let options = mounts.lines().rev().find_map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        match fields[..] {
            [_, MEMORY, "tmpfs", options, ..] => Some(options),
            _ => None,
        }
    });
    let Some(options) = options else {
        return false;
    };
    let may_write_and_run = options.split(',').all(|it| it != "ro" && it != "noexec");
    may_write_and_run && free_kib(MEMORY).is_some_and(|it| it >= NEEDED_KIB)
}

/// What `df` says is available.
fn free_kib(dir: &str) -> Option<u64> {
    let output = Command::new("df").args(["-Pk", dir]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_filters_are_told_apart() {
        let args = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            parse(&args("--postgres 14,16 claim -- --nocapture")).unwrap(),
            (args("14 16"), args("claim -- --nocapture"))
        );
        assert_eq!(parse(&args("--postgres=18 x")).unwrap().0, ["18"]);
        assert!(parse(&args("--postgres")).is_err());
    }
}
