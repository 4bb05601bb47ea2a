//! What holds for every command: how it fails without a database and without the schema, or when what
//! it is about is not there.

use std::collections::BTreeSet;

use crate::support::{Database, pgq, run};

/// A way to call a command, and what it needs.
struct Call {
    /// The words that name the command, separated by spaces.
    command: &'static str,
    arguments: &'static [&'static str],
    needs: Needs,
    /// Arguments that name something that is not there, if it can be called with such.
    nothing: Option<&'static [&'static str]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Schema,
    Database,
    Nothing,
}

const fn call(command: &'static str, arguments: &'static [&'static str]) -> Call {
    Call {
        command,
        arguments,
        needs: Needs::Schema,
        nothing: None,
    }
}

impl Call {
    const fn needs(self, needs: Needs) -> Self {
        Self { needs, ..self }
    }

    const fn refuses(self, nothing: &'static [&'static str]) -> Self {
        Self {
            nothing: Some(nothing),
            ..self
        }
    }

    fn line(&self, arguments: &[&'static str]) -> Vec<&'static str> {
        self.command
            .split(' ')
            .chain(arguments.iter().copied())
            .collect()
    }
}

/// Every command is here, with the least arguments that it takes.
#[rustfmt::skip]
const CALLS: &[Call] = &[
    call("install", &[]).needs(Needs::Database),
    call("upgrade", &[]),
    call("verify", &[]),
    call("uninstall", &["--yes"]),
    call("sql", &[]).needs(Needs::Nothing),
    call("kinds", &[]),
    call("backlog", &[]),
    call("workers", &[]),
    call("dashboard", &["--once"]),
    call("metrics", &[]),
    call("jobs list", &["--all"]),
    call("jobs show", &["1"]).refuses(&["1"]),
    call("jobs cancel", &["1"]).refuses(&["1"]),
    call("jobs requeue", &["1"]).refuses(&["1"]),
    call("jobs discard", &["1"]).refuses(&["1"]),
    call("jobs edit", &["1", "--priority=1"]).refuses(&["1", "--priority=1"]),
    call("failed", &[]),
    call("history", &[]),
    call("stale", &[]),
    call("enqueue", &["nothing"]).refuses(&["nothing"]),
    call("limits list", &[]),
    call("limits set", &["--kind=x", "--concurrency=1"]).refuses(&["--kind=x", "--concurrency=1"]),
    call("limits reset", &["--kind=x"]).refuses(&["--kind=x"]),
    call("pause", &["--all"]).refuses(&["--kind=x"]),
    call("resume", &["--all"]).refuses(&["--kind=x"]),
    call("schedules list", &[]),
    call("schedules next", &["x"]).refuses(&["x"]),
    call("schedules create", &["x", "y", "every 1m"]).refuses(&["x", "y", "every 1m"]),
    call("schedules set", &["x", "--rule=every 1m"]).refuses(&["x", "--rule=every 1m"]),
    call("schedules reset", &["x"]).refuses(&["x"]),
    call("schedules pause", &["x"]).refuses(&["x"]),
    call("schedules resume", &["x"]).refuses(&["x"]),
    call("schedules run", &["x"]).refuses(&["x"]),
    call("schedules delete", &["x"]).refuses(&["x"]),
    call("listen", &[]).refuses(&["--kind=x"]),
    call("durability", &[]),
    call("autovacuum", &[]),
    // In a schema of its own; `bench.rs` runs it.
    call("bench", &["--duration=0s"]).needs(Needs::Database),
    call("completions", &["bash"]).needs(Needs::Nothing),
    call("man", &[]).needs(Needs::Nothing),
];

/// The commands below some words, as the help lists them.
fn listed(words: &[String], found: &mut BTreeSet<String>) {
    let mut line: Vec<&str> = words.iter().map(String::as_str).collect();
    line.push("--help");
    let help = run(&mut pgq(&line)).stdout;
    let Some((_, commands)) = help.split_once("\nCommands:\n") else {
        found.insert(words.join(" "));
        return;
    };
    let lines = commands.lines().take_while(|it| !it.is_empty());
    let names = lines.filter_map(|it| it.strip_prefix("  ")?.split(' ').next());
    for name in names.filter(|it| !["", "help"].contains(it)) {
        listed(&[words, &[name.to_owned()]].concat(), found);
    }
}

#[test]
fn is_in_the_table_above() {
    let mut found = BTreeSet::new();
    listed(&[], &mut found);
    let known: BTreeSet<String> = CALLS.iter().map(|it| it.command.to_owned()).collect();
    assert_eq!(found, known);
}

#[test]
fn cannot_connect_where_nothing_listens() {
    for call in CALLS {
        let line = call.line(call.arguments);
        let url = "postgres://me:s3cret@127.0.0.1:1/app";
        let ran = run(pgq(&line).env("DATABASE_URL", url));
        if call.needs == Needs::Nothing {
            assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{line:?}");
            assert!(!ran.stdout.is_empty(), "{line:?}");
            continue;
        }
        assert_eq!(ran.code, 3, "{line:?}: {}", ran.stderr);
        let said = "error: failed to connect to database \"app\" at 127.0.0.1:1 as user \"me\"\ncaused by: ";
        assert!(ran.stderr.starts_with(said), "{line:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{line:?}");
    }
}

#[tokio::test]
async fn says_that_the_schema_is_missing() {
    let database = Database::new().await;
    for call in CALLS.iter().filter(|it| it.needs == Needs::Schema) {
        let line = call.line(call.arguments);
        let ran = database.pgq(&line);
        assert_eq!(ran.code, 4, "{line:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("install"), "{line:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{line:?}");
    }
}

#[tokio::test]
async fn refuses_what_is_not_there() {
    let database = Database::with_jobs().await;
    for call in CALLS {
        let Some(nothing) = call.nothing else {
            continue;
        };
        let line = call.line(nothing);
        let ran = database.pgq(&line);
        assert_eq!(ran.code, 5, "{line:?}: {}", ran.stderr);
        assert!(
            ran.stderr.starts_with("error: "),
            "{line:?}: {}",
            ran.stderr
        );
        assert_eq!(ran.stdout, "", "{line:?}");
    }
}

#[test]
fn calls_an_unknown_option_wrong_usage() {
    for call in CALLS {
        let line = [&call.line(call.arguments)[..], &["--nonsense"]].concat();
        let ran = run(&mut pgq(&line));
        assert_eq!(ran.code, 2, "{line:?}: {}", ran.stderr);
    }
}
