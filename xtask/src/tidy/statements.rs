//! Each statement is a file of its own, which says what it does, and is used.

use super::File;

const FOLDER: &str = "pgqueuer/src/postgres/sql/";
const USED_IN: &str = "pgqueuer/src/postgres/statements.rs";

pub(super) fn check(files: &[File], problems: &mut Vec<String>) {
    let Some(list) = files.iter().find(|it| it.path == USED_IN) else {
        problems.push(format!("{USED_IN}: it is not there"));
        return;
    };
    let is_word = |it: char| it.is_alphanumeric() || it == '_';
    let used: Vec<&str> = list
        .code()
        .flat_map(|(_, line)| line.split(|it| !is_word(it)))
        .collect();
    for file in files {
        let Some(name) = file.path.strip_prefix(FOLDER) else {
            continue;
        };
        let is_used = name
            .strip_suffix(".sql")
            .is_some_and(|it| used.contains(&it));
        if !is_used {
            problems.push(format!("{}: {USED_IN} does not list it", file.path));
        }
        if !file.text.starts_with("-- ") {
            problems.push(format!("{}: no header says what it does", file.path));
        }
    }
    for file in files.iter().filter(|it| it.path.starts_with("migrations/")) {
        if !file.text.starts_with("-- ") {
            problems.push(format!("{}: no header says what it does", file.path));
        }
    }
}
