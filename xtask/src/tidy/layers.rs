//! Who may name whom: the layers of the library.
//!
//! ```text
//! handle, worker, enqueue      name everything below
//! runtime                      knows the seam, neither of the stores
//! postgres, memory             know the seam, not each other, not the runtime
//! store                        knows the domain
//! the domain                   no SQL, no sockets, no spawn
//! ```

use super::File;

const LIBRARY: &str = "pgqueuer/src/";

/// The files (or folders, with a slash) that are the domain.
const DOMAIN: [&str; 13] = [
    "backoff.rs",
    "config.rs",
    "context.rs",
    "cron.rs",
    "error.rs",
    "options.rs",
    "outcome.rs",
    "outcome/",
    "payload.rs",
    "payload/",
    "resources.rs",
    "schedule.rs",
    "schedule/",
];

/// Which files must not name which modules.
#[rustfmt::skip]
const RULES: [(&[&str], &[&str]); 5] = [
    (&DOMAIN, &["runtime", "worker", "handle", "store", "postgres", "memory", "sqlx", "tokio"]),
    (&["store.rs", "store/"], &["runtime", "worker", "handle", "postgres", "memory", "sqlx"]),
    (&["runtime.rs", "runtime/"], &["postgres", "memory", "PostgresStore", "MemoryStore", "sqlx"]),
    (&["memory.rs", "memory/"], &["runtime", "worker", "handle", "postgres", "sqlx"]),
    (&["postgres.rs", "postgres/"], &["runtime", "worker", "memory"]),
];

/// Where `sqlx` may be named: users enqueue in their own transactions, and bring their pool.
const ON_SQLX: [&str; 6] = [
    "postgres.rs",
    "postgres/",
    "handle.rs",
    "enqueue.rs",
    "enqueue/",
    "tx.rs",
];

/// Where tasks may be spawned: what nobody owns, nobody stops. A lookout ends with its store,
/// the task of a hook when there is nothing to tell, that of who waits some time after the last.
const ON_SPAWN: [&str; 8] = [
    "runtime.rs",
    "runtime/",
    "waiting.rs",
    "waiting/",
    "blocking.rs",
    "hook/ear.rs",
    // A read that outlives the scrape which gave it up.
    "metrics.rs",
    "postgres/lookout.rs",
];

/// Where the clock on the wall may be looked at: elsewhere, that of the store decides.
const ON_CLOCK: [&str; 1] = ["memory.rs"];

/// Where SQL may be: in the store, and where a benchmark asks the server about itself.
const ON_SQL: [&str; 3] = [
    "pgqueuer/src/postgres.rs",
    "pgqueuer/src/postgres/",
    "pgqueuer-cli/src/commands/bench/server.rs",
];

/// How SQL begins, as no other text does.
const SQL: [&str; 6] = [
    "SELECT ",
    "INSERT INTO ",
    "UPDATE pgq",
    "DELETE FROM ",
    "CREATE TABLE ",
    "DROP ",
];

pub(super) fn check(files: &[File], problems: &mut Vec<String>) {
    for file in files.iter().filter(|it| it.is_rust()) {
        if let Some(name) = file.path.strip_prefix(LIBRARY) {
            check_library(file, name, problems);
        }
        let is_shipped = ["pgqueuer/", "pgqueuer-cli/src/", "pgqueuer-macros/"]
            .iter()
            .any(|it| file.path.starts_with(it));
        if is_shipped && !is_in(&file.path, &ON_SQL) {
            check_sql(file, problems);
        }
    }
}

fn check_library(file: &File, name: &str, problems: &mut Vec<String>) {
    for (line, code) in file.code() {
        let place = format!("{}:{line}", file.path);
        for (members, forbidden) in RULES {
            let named = forbidden.iter().find(|it| names(code, it));
            if let Some(module) = named.filter(|_| is_in(name, members)) {
                problems.push(format!("{place}: this layer does not name `{module}`"));
            }
        }
        if names(code, "sqlx") && !is_in(name, &ON_SQLX) {
            problems.push(format!(
                "{place}: `sqlx` is named by the store on PostgreSQL only"
            ));
        }
        let looks_at_clock = ["Utc::now", "Local::now", "SystemTime::now"];
        if looks_at_clock.iter().any(|it| code.contains(it)) && !is_in(name, &ON_CLOCK) {
            problems.push(format!(
                "{place}: what time it is, the store says, whose clock all workers share"
            ));
        }
        if code.contains("tokio::spawn") && !is_in(name, &ON_SPAWN) {
            problems.push(format!(
                "{place}: tasks are spawned by the runtime, and by what ends them, only"
            ));
        }
    }
}

fn check_sql(file: &File, problems: &mut Vec<String>) {
    for (line, code) in file.code() {
        if let Some(word) = SQL.iter().find(|it| code.contains(**it)) {
            let place = format!("{}:{line}", file.path);
            let word = word.trim_end();
            problems.push(format!(
                "{place}: `{word}` belongs to pgqueuer/src/postgres"
            ));
        }
    }
}

fn is_in(name: &str, members: &[&str]) -> bool {
    members
        .iter()
        .any(|it| name == *it || (it.ends_with('/') && name.starts_with(it)))
}

/// Whether code uses something of a module, or a type, by its name.
fn names(code: &str, module: &str) -> bool {
    let is_word = |it: char| it.is_alphanumeric() || it == '_';
    code.match_indices(module).any(|(start, _)| {
        // The runtime of the tasks is another one.
        if code[..start].ends_with("tokio::") {
            return false;
        }
        let before = code[..start].chars().next_back();
        let after = &code[start + module.len()..];
        let is_type = module.starts_with(char::is_uppercase);
        !before.is_some_and(is_word)
            && (after.starts_with("::") || (is_type && !after.starts_with(is_word)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let file = File {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let mut problems = Vec::new();
        check(&[file], &mut problems);
        problems
    }

    #[test]
    fn a_layer_that_names_what_is_above_it_is_found() {
        let found = problems(
            "pgqueuer/src/runtime/x.rs",
            "//! memory::\nuse crate::memory::X;",
        );
        let expected = "pgqueuer/src/runtime/x.rs:2: this layer does not name `memory`";
        assert_eq!(found, [expected]);
        assert_eq!(
            problems("pgqueuer/src/postgres/x.rs", "sqlx::query(\"SELECT 1\")").len(),
            0
        );
        assert_eq!(
            problems("pgqueuer/src/worker.rs", "sqlx::query(\"SELECT 1\")").len(),
            2
        );
        assert_eq!(
            problems("pgqueuer/src/worker.rs", "tokio::spawn(x)").len(),
            1
        );
        assert_eq!(
            problems("tests/src/x.rs", "sqlx::query(\"SELECT 1\")").len(),
            0
        );
    }

    #[test]
    fn names_are_whole_words() {
        assert!(names("use crate::store::Store;", "store"));
        assert!(names("    memory::{self, State},", "memory"));
        assert!(names("let it: MemoryStore;", "MemoryStore"));
        assert!(!names("self.store.enqueue()", "store"));
        assert!(!names("restore::now()", "store"));
        assert!(!names("MemoryStores", "MemoryStore"));
    }
}
