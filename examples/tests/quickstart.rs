//! The quickstart runs to its end on whatever it finds, and leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use throwaway_postgres::Postgres;

/// Cargo builds the examples of a package with its tests, into the folder beside them.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test.ancestors().nth(2).expect("tests are in `deps`");
    let program = folder
        .join("examples/quickstart")
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(program.is_file(), "{} is missing", program.display());
    program
}

fn quickstart(temporary: &Path, variable: &str, value: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program());
    command
        .env_remove("DATABASE_URL")
        .env("TMPDIR", temporary)
        .env(variable, value)
        .stdin(Stdio::null());
    command
}

/// A folder of its own, where the server's user can get in.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("pgqueuer-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    }
    folder
}

fn text(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text.into_owned()
}

fn assert_whole_story(told: &str) {
    for scene in [
        "send_welcome: user 42, in \"nb\"",
        "pay_invoice: attempt 2 for invoice 7, to be retried",
        "pay_invoice: attempt 3 paid 129.50",
        "send_reminder: user 42, asked for by the sales team",
        "thumbnail: the last of 200",
        "import: failed for the last time",
        "heartbeat: scheduled",
        "1 held for a person",
    ] {
        assert!(told.contains(scene), "no `{scene}` in\n{told}");
    }
    assert!(
        !told.contains("user 666, in"),
        "a job that was rolled back ran:\n{told}"
    );
}

fn assert_empty(folder: &Path) {
    let left: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|it| it.unwrap().file_name())
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    fs::remove_dir(folder).unwrap();
}

#[test]
fn on_a_throw_away_server() {
    let temporary = folder("throw-away");

    let told = text(&quickstart(&temporary, "RUST_LOG", "off").output().unwrap());

    assert!(told.contains("on a throw-away PostgreSQL"), "{told}");
    assert!(
        told.contains("SendWelcome { user_id: 666 } was never enqueued"),
        "{told}"
    );
    assert_whole_story(&told);
    assert_empty(&temporary);
}

#[test]
fn in_memory_when_there_is_no_postgresql() {
    let temporary = folder("in-memory");

    let told = text(
        &quickstart(&temporary, "PGQ_PG_BIN", "none")
            .output()
            .unwrap(),
    );

    assert!(
        told.contains("on memory: no PostgreSQL was found"),
        "{told}"
    );
    assert_whole_story(&told);
    assert_empty(&temporary);
}

#[test]
fn on_a_server_of_your_own_which_it_leaves_as_it_was() {
    let temporary = folder("your-own");
    let server = Postgres::start().unwrap();

    let told = text(
        &quickstart(&temporary, "DATABASE_URL", server.url("postgres"))
            .output()
            .unwrap(),
    );
    let again = text(
        &quickstart(&temporary, "DATABASE_URL", server.url("postgres"))
            .output()
            .unwrap(),
    );

    assert!(told.contains("on the PostgreSQL of DATABASE_URL"), "{told}");
    assert_whole_story(&told);
    assert_whole_story(&again);
    assert_empty(&temporary);
}

#[cfg(unix)]
#[test]
fn killed_it_leaves_no_process_and_no_file() {
    let temporary = folder("killed");
    let mut child = quickstart(&temporary, "RUST_LOG", "off")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let is_empty = || fs::read_dir(&temporary).unwrap().next().is_none();
    wait_until("a server is being made", || contains_data(&temporary, 2));

    child.kill().unwrap();
    child.wait().unwrap();

    wait_until("everything is gone", is_empty);
    assert_empty(&temporary);
}

/// Whether there is a `data` folder so many levels below.
fn contains_data(folder: &Path, levels: u32) -> bool {
    folder.join("data").exists()
        || levels > 0
            && fs::read_dir(folder)
                .into_iter()
                .flatten()
                .flatten()
                .any(|entry| contains_data(&entry.path(), levels - 1))
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(60), "not yet: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
