//! The files with SQL: each is used, explained, and valid as it stands.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use sqlx::{AssertSqlSafe, Executor as _, SqlSafeStr as _};

use super::super::postgres_only;
use crate::backend::Database;

postgres_only! {
    in_own_database:
    are_valid_as_they_stand,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pgqueuer/src/postgres")
}

/// Name and text of every file.
fn files() -> Vec<(String, String)> {
    let files = fs::read_dir(folder().join("sql")).unwrap();
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(&path).unwrap())
    };
    let mut files: Vec<_> = files.map(|it| read(it.unwrap().path())).collect();
    files.sort();
    files
}

#[test]
fn are_all_used() {
    let code = fs::read_to_string(folder().join("statements.rs")).unwrap();
    let list = code.split_once("statements! {").unwrap().1;
    let list = list.split_once('}').unwrap().0;
    let words = list.split(|it: char| !it.is_alphanumeric() && it != '_');
    let is_name = |word: &&str| !["", "prepared", "others"].contains(word);
    let named: BTreeSet<&str> = words.filter(is_name).collect();

    let files = files();

    let there: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(there, named);
}

#[test]
fn begin_with_what_they_do() {
    for (name, text) in files() {
        let header: Vec<&str> = text.lines().take_while(|it| it.starts_with("--")).collect();
        assert!(
            !header.is_empty(),
            "{name}.sql does not begin with a comment"
        );
        assert!(
            header[0].len() > 10,
            "{name}.sql says too little: {}",
            header[0]
        );
    }
}

#[test]
fn explain_every_parameter() {
    for (name, text) in files() {
        let (header, body): (Vec<&str>, Vec<&str>) =
            text.lines().partition(|line| line.starts_with("--"));
        let (header, body) = (header.join("\n"), body.join("\n"));
        for number in 1..20 {
            let parameter = format!("${number} ");
            // `$1` is not `$12`.
            let mut after = body.split(parameter.trim_end()).skip(1);
            let is_used = after.any(|rest| !rest.starts_with(|it: char| it.is_ascii_digit()));
            assert_eq!(
                header.contains(&parameter),
                is_used,
                "{parameter}of {name}.sql"
            );
        }
    }
}

/// The marks of the lanes wait for positions by the transactions that took them, so a
/// transaction has an id before its first one. Rows that it has locked or written give it one.
#[test]
fn take_a_transaction_id_before_a_position() {
    const AFTER_A_ROW: [&str; 5] = [
        // In the transaction of lock_session.sql.
        "close_session",
        "reconcile",
        // Rows that are locked before.
        "promote",
        "requeue_stranded",
        "rescue",
    ];
    for (name, text) in files() {
        let takes_one = text.contains("nextval('pgqueuer.positions')");
        let has_id = text.contains("pg_current_xact_id() IS NOT NULL");
        assert!(
            !takes_one || has_id || AFTER_A_ROW.contains(&name.as_str()),
            "{name}.sql"
        );
    }
}

#[test]
fn name_the_schema_of_every_table() {
    const TABLES: [&str; 8] = [
        "jobs",
        "sessions",
        "history",
        "history_default",
        "minutes",
        "kinds",
        "schedules",
        "positions",
    ];
    for (name, text) in files() {
        let body = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("--"));
        let words: Vec<&str> = body.flat_map(str::split_whitespace).collect();
        for pair in words.windows(2) {
            let names_a_table = ["FROM", "JOIN", "INTO", "UPDATE", "USING"].contains(&pair[0]);
            assert!(
                !names_a_table || !TABLES.contains(&pair[1]),
                "{name}.sql: {} {}",
                pair[0],
                pair[1]
            );
        }
    }
}

/// Nobody has to render a statement to try it in psql.
async fn are_valid_as_they_stand(database: &Database) {
    let mut refused = Vec::new();
    for (name, text) in files() {
        let text = AssertSqlSafe(text).into_sql_str();
        let prepared = database.pool().prepare(text).await;
        refused.extend(prepared.err().map(|error| format!("{name}: {error}")));
    }

    assert!(refused.is_empty(), "{refused:?}");
}
