//! Which database is meant, what is said when it does not answer, and what `pgq` is not.

use expect_test::expect;

use crate::support::{Database, SERVER, pgq, run};

#[test]
fn without_a_database_it_names_the_three_ways() {
    run(&mut pgq(&["verify"])).fails(2, &expect![[r#"
        error: no database was given; use --database-url postgres://user:password@host/database, or set DATABASE_URL, or set the variables of libpq (PGHOST, PGDATABASE, …)
    "#]]);
}

#[test]
fn an_empty_url_is_none() {
    let ran = run(pgq(&["verify"]).env("DATABASE_URL", ""));
    assert!(
        ran.stderr.contains("no database was given"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_url_of_another_database_is_wrong_usage() {
    let url = "mysql://me:s3cret@localhost/app";
    run(&mut pgq(&["--database-url", url, "verify"])).fails(2, &expect![[r#"
        error: the database URL is one of `mysql`, not of PostgreSQL; write postgres://user:password@host/database
    "#]]);
}

#[test]
fn what_is_no_url_is_wrong_usage() {
    run(&mut pgq(&["--database-url", "s3cret", "verify"])).fails(
        2,
        &expect![[r#"
        error: the database URL is not a URL; write postgres://user:password@host/database
    "#]],
    );
    let url = "postgres://me:s3cret@host:x/app";
    run(&mut pgq(&["--database-url", url, "verify"])).fails(
        2,
        &expect![[r#"
        error: the database URL is not valid; write postgres://user:password@host/database
        caused by: error with configuration: invalid port number
    "#]],
    );
}

#[test]
fn a_url_in_the_wrong_place_keeps_its_password_to_itself() {
    run(&mut pgq(&["verify", "postgres://me:s3cret@host/app"])).fails(
        2,
        &expect![[r#"
        error: unexpected argument 'postgres://me:***@host/app' found

        Usage: pgq verify [OPTIONS]

        For more information, try '--help'.
    "#]],
    );
}

#[cfg(unix)]
#[test]
fn when_nothing_listens_it_says_so_at_once() {
    let url = "postgres://me:s3cret@127.0.0.1:1/app";
    let ran = run(&mut pgq(&["--database-url", url, "verify"]));
    assert_eq!(ran.code, 3);
    // The number of the error differs from system to system.
    let (message, _) = ran.stderr.split_once(" (os error").unwrap();
    expect![[r#"
        error: failed to connect to database "app" at 127.0.0.1:1 as user "me"
        caused by: error communicating with database: Connection refused"#]]
    .assert_eq(message);
}

#[tokio::test]
async fn a_database_that_does_not_exist_cannot_be_connected_to() {
    let ran = run(pgq(&["verify"]).env("DATABASE_URL", SERVER.url("nowhere")));
    assert_eq!(ran.code, 3);
    assert!(
        ran.stderr.contains("\"nowhere\" does not exist"),
        "{}",
        ran.stderr
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_url_may_name_several_hosts() {
    let database = Database::installed().await;
    let name: String = sqlx::query_scalar("SELECT current_database()::text")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    let hosts = format!("host=/nowhere,{}&user=postgres", SERVER.dir().display());
    let ran = run(pgq(&["verify"]).env("DATABASE_URL", format!("postgres:///{name}?{hosts}")));
    assert_eq!(ran.code, 0, "{}", ran.stderr);

    let twice = hosts.replace("/nowhere", &SERVER.dir().display().to_string());
    let url = format!("postgres:///nowhere?{twice}&password=s3cret");
    let ran = run(pgq(&["verify"]).env("DATABASE_URL", url));
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("\"nowhere\" does not exist").count(), 2);
    assert!(!ran.stderr.contains("s3cret"), "{}", ran.stderr);
}

#[test]
fn hosts_that_need_not_take_writes_are_wrong_usage() {
    let url = "postgres://me:s3cret@a,b/app?target_session_attrs=any";
    run(&mut pgq(&["--database-url", url, "verify"])).fails(2, &expect![[r#"
        error: the `target_session_attrs` of the database URL are of a host that need not take writes, and a queue is written to; write `read-write`, or leave them out
    "#]]);
}

#[cfg(unix)]
#[tokio::test]
async fn the_variables_of_libpq_are_enough() {
    let database = Database::installed().await;
    let name: String = sqlx::query_scalar("SELECT current_database()::text")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    let mut command = pgq(&["verify"]);
    command
        .env("PGHOST", SERVER.dir())
        .env("PGUSER", "postgres")
        .env("PGDATABASE", name);
    let ran = run(&mut command);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn the_worker_is_the_users_own_program() {
    run(&mut pgq(&["worker", "--drain"])).fails(2, &expect![[r#"
        error: `pgq` has no jobs to run: the worker is your own program. Write `pgqueuer_cli::App::new().run().await` in its `main`, and start it
    "#]]);
}

#[test]
fn no_command_is_wrong_usage_and_help_is_not() {
    assert_eq!(run(&mut pgq(&[])).code, 2);
    let help = run(&mut pgq(&["--help"]));
    assert_eq!(help.code, 0);
    assert!(
        help.stdout.contains("Exit codes: 0 done"),
        "{}",
        help.stdout
    );
    assert!(!help.stdout.contains("worker  "), "{}", help.stdout);
}

#[test]
fn help_does_not_show_the_url() {
    let url = "postgres://me:s3cret@localhost/app";
    let help = run(pgq(&["--help"]).env("DATABASE_URL", url));
    assert!(help.stdout.contains("DATABASE_URL"), "{}", help.stdout);
}
