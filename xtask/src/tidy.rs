//! `cargo xtask tidy`: the rules that no compiler checks.
//!
//! Prints everything that is wrong, one line each, and fails if anything is.

mod layers;
mod links;
mod statements;

use std::{fs, path::Path};

use crate::{Result, shell};

/// The most lines that a source file may have.
const MAX_LINES: usize = 400;

/// Files that may be longer, and why.
const LONG_FILES: [(&str, &str); 1] = [(
    "migrations/0001_init.sql",
    "a schema is installed as a whole, in one transaction, and read from its first table on",
)];

/// A file of the repository.
struct File {
    /// From the root, with slashes.
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        has_extension(&self.path, "rs")
    }

    /// The lines that are not comments, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.text.lines().enumerate();
        numbered
            .map(|(index, line)| (index + 1, line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|it| it == extension)
}

pub(crate) fn run() -> Result {
    let files = files()?;
    let mut problems = Vec::new();
    length(&files, &mut problems);
    layers::check(&files, &mut problems);
    statements::check(&files, &mut problems);
    links::check(&files, &mut problems);
    for problem in &problems {
        eprintln!("{problem}");
    }
    match problems.len() {
        0 => {
            eprintln!("tidy: {} files are in order", files.len());
            Ok(())
        }
        1 => Err("1 thing is not tidy".to_owned()),
        count => Err(format!("{count} things are not tidy")),
    }
}

/// All files that git knows or would add, if they are text.
fn files() -> Result<Vec<File>> {
    let list = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let names = shell::output(shell::program("git", &list))?;
    let root = shell::root();
    let read = |path: &str| {
        // A link is looked at where it points to.
        let full = root.join(path);
        let text = (!full.is_symlink()).then(|| fs::read_to_string(full).ok())??;
        Some(File {
            path: path.to_owned(),
            text,
        })
    };
    Ok(names.lines().filter_map(read).collect())
}

/// A file that does not fit into a head should be two.
fn length(files: &[File], problems: &mut Vec<String>) {
    let is_allowed = |path: &str| LONG_FILES.iter().any(|(name, _)| *name == path);
    for file in files {
        let is_source = file.is_rust() || has_extension(&file.path, "sql");
        let lines = file.text.lines().count();
        if is_source && lines > MAX_LINES && !is_allowed(&file.path) {
            problems.push(format!("{}: {lines} lines, at most {MAX_LINES}", file.path));
        }
    }
}
