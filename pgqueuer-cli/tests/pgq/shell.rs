//! `listen`, `completions` and `man`.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Stdio},
};

use expect_test::expect;

use crate::support::{Database, pgq, run};

/// Starts to listen, and returns once it does.
fn listen(database: &Database, args: &[&str]) -> Child {
    let mut child = pgq(&[&["listen"], args].concat())
        .env("DATABASE_URL", &database.url)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stderr = BufReader::new(child.stderr.as_mut().unwrap());
    stderr.read_line(&mut line).unwrap();
    assert_eq!(line, "listening; Ctrl+C ends it\n");
    child
}

/// What was printed until the end, without the times.
fn heard(mut child: Child) -> String {
    assert!(child.wait().unwrap().success());
    let mut text = String::new();
    child.stdout.unwrap().read_to_string(&mut text).unwrap();
    let lines = text.lines().map(|it| it.split_once(' ').unwrap().1);
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

#[tokio::test]
async fn what_is_said_is_printed_with_its_meaning() {
    let database = Database::with_jobs().await;
    let child = listen(&database, &["--count", "1"]);
    database.execute("SELECT pgqueuer.tell('cancel')").await;
    expect![[r#"
        bell: a job that runs is to be cancelled
    "#]]
    .assert_eq(&heard(child));

    let child = listen(&database, &["--count", "2"]);
    database
        .execute("SELECT pgqueuer.tell_ends('{42,43}')")
        .await;
    expect![[r#"
        ends 42: the job has ended, or is held
        ends 43: the job has ended, or is held
    "#]]
    .assert_eq(&heard(child));
}

#[tokio::test]
async fn the_ends_of_a_kind_are_told_if_that_is_asked_for() {
    let database = Database::with_jobs().await;
    let mut child = listen(
        &database,
        &["--kind", "cleanup", "--count", "1", "--format", "json"],
    );
    // It is asked for once it listens.
    while sqlx::query_scalar::<_, i64>("SELECT count(*) FROM pgqueuer.watchers")
        .fetch_one(&database.pool)
        .await
        .unwrap()
        == 0
    {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let id = database.enqueue(&["cleanup"]);
    // Which rings, too, for a priority that is new.
    let cancelled = database.pgq(&["jobs", "cancel", &id]);
    assert_eq!(cancelled.code, 0, "{}", cancelled.stderr);

    assert!(child.wait().unwrap().success());
    let mut text = String::new();
    child.stdout.unwrap().read_to_string(&mut text).unwrap();
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(
        ["bell", "ends"].contains(&line["channel"].as_str().unwrap()),
        "{line}"
    );
    assert_eq!(text.lines().count(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn listening_ends_well_when_it_is_interrupted() {
    let database = Database::with_jobs().await;
    let mut child = listen(&database, &[]);
    let kill = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn shells_are_told_of_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = run(&mut pgq(&["completions", shell]));
        assert_eq!(ran.code, 0, "{shell}: {}", ran.stderr);
        for command in ["durability", "schedules", "requeue"] {
            assert!(ran.stdout.contains(command), "{shell}: {command}");
        }
    }
    assert_eq!(run(&mut pgq(&["completions", "cmd.exe"])).code, 2);
}

#[test]
fn manuals_are_printed_or_written() {
    let printed = run(&mut pgq(&["man"]));
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    assert!(printed.stdout.contains(".TH pgq 1"), "{}", printed.stdout);

    let dir = std::env::temp_dir().join(format!("pgq-man-{}", std::process::id()));
    let written = run(&mut pgq(&["man", "--dir", dir.to_str().unwrap()]));
    assert_eq!(written.code, 0, "{}", written.stderr);
    for page in ["pgq.1", "pgq-jobs-edit.1", "pgq-history.1"] {
        assert!(dir.join(page).is_file(), "{page}");
    }
    std::fs::remove_dir_all(&dir).unwrap();
    // A file is no directory.
    let file = concat!(env!("CARGO_BIN_EXE_pgq"), "/x");
    let refused = run(&mut pgq(&["man", "--dir", file]));
    assert_eq!(refused.code, 5, "{}", refused.stderr);
}
