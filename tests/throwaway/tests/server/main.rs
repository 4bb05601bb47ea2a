//! Starts real servers, ends them in all the rude ways, and looks for remains.
//!
//! Whatever needs another environment, or an early death, happens in a child: this
//! test binary again, running only [`child`] with `THROWAWAY_CHILD` set.
#![cfg(unix)]

// The attribute tells clippy that this, too, is test code.
#[cfg(test)]
mod support;

use std::{
    env, fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::PathBuf,
    process::{self, Command},
    thread,
    time::Duration,
};

use throwaway_postgres::{Postgres, Shutdown, StartError, bin_dir};

use crate::support::{
    Place, Report, all_processes, child_command, entries, eventually, is_running, process_column,
    query,
};

#[test]
fn answers_queries_with_the_settings_asked_for() {
    let postgres = Postgres::builder()
        .setting("cluster_name", "o'clock")
        .start()
        .unwrap();
    assert_eq!(query(&postgres, "SHOW cluster_name"), "o'clock");
    assert_eq!(query(&postgres, "SHOW fsync"), "off");
    assert_eq!(query(&postgres, "SHOW listen_addresses"), "");
}

#[test]
fn a_durable_server_keeps_the_defaults() {
    let postgres = Postgres::builder().durable(true).start().unwrap();
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        assert_eq!(query(&postgres, &format!("SHOW {setting}")), "on");
    }
}

#[test]
fn a_server_stops_and_starts_again_with_its_data() {
    let mut postgres = Postgres::builder().durable(true).start().unwrap();
    let dir = postgres.dir().to_path_buf();
    query(&postgres, "CREATE TABLE kept (number int)");
    for (number, how) in [Shutdown::Smart, Shutdown::Fast, Shutdown::Immediate]
        .into_iter()
        .enumerate()
    {
        query(&postgres, &format!("INSERT INTO kept VALUES ({number})"));
        let before = postgres.pid();
        postgres.shut_down(how).unwrap();
        postgres.start_again().unwrap();
        assert!(!is_running(before) && is_running(postgres.pid()));
        let kept = query(&postgres, "SELECT count(*) FROM kept");
        assert_eq!(kept, (number + 1).to_string());
    }

    let pid = postgres.pid();
    drop(postgres);
    assert!(!is_running(pid) && !dir.exists());
}

#[test]
fn servers_run_side_by_side_and_leave_nothing() {
    let threads: Vec<_> = (0..3).map(|_| thread::spawn(Postgres::start)).collect();
    let servers: Vec<Postgres> = threads
        .into_iter()
        .map(|it| it.join().unwrap().unwrap())
        .collect();

    let remains: Vec<(PathBuf, u32)> = servers
        .iter()
        .map(|it| (it.dir().to_path_buf(), it.pid()))
        .collect();
    for (dir, pid) in &remains {
        assert!(dir.exists() && is_running(*pid));
    }
    drop(servers);
    for (dir, pid) in remains {
        assert!(!dir.exists(), "{} is left", dir.display());
        assert!(!is_running(pid), "process {pid} is left");
    }
}

#[test]
fn without_a_template_nothing_is_left_at_all() {
    let place = Place::new();
    let output = place.run("start-and-drop-without-template");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(place.entries(), Vec::<PathBuf>::new());
}

#[test]
fn a_killed_process_leaves_nothing() {
    let place = Place::new();
    let mut child = place.spawn("hold");
    let server = place.wait_for_report(&mut child);
    assert!(is_running(server.pid));

    // SIGKILL; the child's own child lives on and must not keep the pipe open.
    child.kill().unwrap();
    child.wait().unwrap();
    server.assert_gone_soon();
    Command::new("kill")
        .arg(server.sleeper.to_string())
        .status()
        .unwrap();
}

#[test]
fn an_aborted_process_leaves_nothing() {
    let place = Place::new();
    let mut child = place.spawn("abort");
    let server = place.wait_for_report(&mut child);
    assert!(!child.wait().unwrap().success());
    server.assert_gone_soon();
}

#[test]
fn a_process_killed_while_starting_leaves_nothing() {
    let place = Place::new();
    // From before the first folder to after the server is ready, without a
    // template: half a second of `initdb` and then the server.
    for delay_ms in [5, 15, 30, 100, 400, 550, 600, 700] {
        let mut child = place.spawn("hold-without-template");
        thread::sleep(Duration::from_millis(delay_ms));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    eventually("everything is removed", || place.entries().is_empty());
    let place = place.dir.to_str().unwrap();
    eventually("all processes end", || !all_processes().contains(place));
}

#[test]
fn ctrl_c_does_not_reach_the_server() {
    let postgres = Postgres::start().unwrap();
    assert_ne!(
        process_column("pgid", postgres.pid()),
        process_column("pgid", process::id())
    );
}

#[test]
fn a_killed_supervisor_is_tidied_up_after() {
    let postgres = Postgres::start().unwrap();
    let (dir, pid) = (postgres.dir().to_path_buf(), postgres.pid());
    let supervisor = process_column("ppid", pid);
    Command::new("kill")
        .args(["-KILL", supervisor.as_str()])
        .status()
        .unwrap();
    drop(postgres);
    eventually("the server ends", || !is_running(pid));
    assert!(!dir.exists());
}

#[test]
fn leftovers_of_a_dead_machine_are_removed() {
    let place = Place::new();
    assert!(place.run("start-and-drop").status.success());
    let base = place.entries().pop().unwrap();
    for name in ["run-1-0", "new-1-0", "template-1-0123456789abcdef"] {
        let left = base.join(name);
        fs::create_dir(&left).unwrap();
        fs::write(left.join("file"), "").unwrap();
        // The server's user left them, not root.
        let owner = fs::metadata(&base).unwrap();
        chown(&left, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    assert!(place.run("start-and-drop").status.success());
    let left = entries(&base);
    assert_eq!(left.len(), 1, "only the template of today: {left:?}");
}

#[test]
fn a_damaged_template_is_replaced() {
    let place = Place::new();
    assert!(place.run("start-and-drop").status.success());
    let base = place.entries().pop().unwrap();
    let template = entries(&base).pop().unwrap();

    fs::remove_file(template.join("global/pg_control")).unwrap();
    assert!(place.run("start-and-drop").status.success());
    // The next start makes a new one, and removes the damaged one.
    assert!(place.run("start-and-drop").status.success());
    assert_eq!(entries(&base).pop(), Some(template.clone()));
    assert_eq!(entries(&base).len(), 1);
    assert!(template.join("global/pg_control").exists());
}

#[test]
fn a_folder_made_by_a_stranger_is_not_used() {
    let place = Place::new();
    let postgres = Postgres::start().unwrap();
    let uid = fs::metadata(postgres.dir()).unwrap().uid();
    let hostile = place.dir.join(format!("throwaway-pg-{uid}"));
    fs::create_dir(&hostile).unwrap();
    fs::set_permissions(&hostile, fs::Permissions::from_mode(0o777)).unwrap();
    let output = place.run("start-and-drop");
    assert!(output.status.success(), "falls back to /tmp: {output:?}");
    assert_eq!(entries(&hostile), Vec::<PathBuf>::new());
}

#[test]
fn an_unreachable_tmpdir_is_not_used() {
    let place = Place::new();
    fs::set_permissions(&place.dir, fs::Permissions::from_mode(0o700)).unwrap();
    let missing = place.dir.join("missing");
    for tmpdir in [&place.dir.join("private"), &missing] {
        if *tmpdir != missing {
            fs::create_dir(tmpdir).unwrap();
            fs::set_permissions(tmpdir, fs::Permissions::from_mode(0o500)).unwrap();
        }
        let report = place.dir.join("report");
        let output = child_command("start-and-drop", &report)
            .env("TMPDIR", tmpdir)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let server = Report::read(&report).unwrap();
        assert!(server.dir.starts_with("/tmp"), "{}", server.dir.display());
        fs::remove_file(report).unwrap();
    }
}

#[test]
fn a_wrong_folder_in_the_environment_is_an_error() {
    let place = Place::new();
    let output = child_command("expect-wrong-folder", &place.dir.join("report"))
        .env("PGQ_PG_BIN", "/nonexistent/bin")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_bad_setting_is_reported_in_the_words_of_postgresql() {
    let error = Postgres::builder()
        .cache_template(false)
        .setting("no_such_setting", "1")
        .start()
        .unwrap_err();
    let message = error.to_string();
    assert!(message.contains("no_such_setting"), "{message}");
}

#[test]
fn variables_for_another_server_have_no_effect() {
    let place = Place::new();
    let output = child_command("query", &place.dir.join("report"))
        .env("PGPORT", "1")
        .env("PGDATA", "/nonexistent")
        .env("PGHOST", "/nonexistent")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// What a child does; passes at once when this is not one.
#[test]
fn child() {
    let Ok(mode) = env::var("THROWAWAY_CHILD") else {
        return;
    };
    if mode == "expect-wrong-folder" {
        assert_eq!(bin_dir(), None);
        let error: StartError = Postgres::start().unwrap_err();
        assert!(!error.is_not_found());
        let message = error.to_string();
        assert!(
            message.contains("PGQ_PG_BIN is /nonexistent/bin"),
            "{message}"
        );
        return;
    }
    let postgres = Postgres::builder()
        .cache_template(!mode.ends_with("without-template"))
        .start()
        .unwrap();
    let mut sleeper = String::from("0");
    if mode == "hold" {
        // As a program under test may do: leave a process behind that outlives it.
        let output = Command::new("/bin/sh")
            .args(["-c", "sleep 30 >/dev/null 2>&1 & echo $!"])
            .output()
            .unwrap();
        sleeper = String::from_utf8(output.stdout).unwrap();
    }
    let report = PathBuf::from(env::var_os("THROWAWAY_REPORT").unwrap());
    let text = format!(
        "{}\n{}\n{sleeper}",
        postgres.dir().display(),
        postgres.pid()
    );
    // Renamed, so that nobody reads half of it.
    fs::write(report.with_extension("new"), text).unwrap();
    fs::rename(report.with_extension("new"), &report).unwrap();
    match mode.as_str() {
        "abort" => process::abort(),
        "query" => assert_eq!(query(&postgres, "SELECT 1"), "1"),
        it if it.starts_with("hold") => loop {
            thread::park();
        },
        _ => {}
    }
}
