//! Links lead somewhere: those in the file system, and those in Markdown.

use std::path::Path;

use super::{File, has_extension};
use crate::shell;

/// What a published crate needs from above its folder. Git on Windows makes plain files of
/// these unless it is told otherwise, and the packages would be wrong.
const LINKS: [&str; 11] = [
    "pgqueuer/migrations",
    "pgqueuer/README.md",
    "pgqueuer/LICENSE-APACHE",
    "pgqueuer/LICENSE-MIT",
    "pgqueuer-macros/src/cron.rs",
    "pgqueuer-macros/LICENSE-APACHE",
    "pgqueuer-macros/LICENSE-MIT",
    "pgqueuer-cli/LICENSE-APACHE",
    "pgqueuer-cli/LICENSE-MIT",
    "tests/throwaway/LICENSE-APACHE",
    "tests/throwaway/LICENSE-MIT",
];

pub(super) fn check(files: &[File], problems: &mut Vec<String>) {
    let root = shell::root();
    for link in LINKS {
        let path = root.join(link);
        if !path.is_symlink() || !path.exists() {
            problems.push(format!(
                "{link}: not a link to something that exists (on Windows: git config \
                 core.symlinks true)"
            ));
        }
    }
    for file in files.iter().filter(|it| has_extension(&it.path, "md")) {
        for (line, target) in targets(&file.text) {
            let folder = root.join(&file.path);
            let folder = folder.parent().unwrap_or(Path::new(""));
            if !folder.join(target).exists() {
                let place = format!("{}:{line}", file.path);
                problems.push(format!("{place}: there is no `{target}`"));
            }
        }
    }
}

/// The files that a Markdown text links to, with the numbers of the lines. Code is left out.
fn targets(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    let lines = text.lines().enumerate().filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.flat_map(|(index, line)| {
        line.split("](").skip(1).filter_map(move |rest| {
            let target = rest.split([')', '#', ' ']).next()?;
            let is_file = !target.is_empty() && !target.contains(':');
            is_file.then_some((index + 1, target))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_to_files_count() {
        let text = "[a](b.md) [c](https://d) [e](#f)\n```\nx[0](y)\n```\n[g](h.md#i)";
        let found: Vec<_> = targets(text).collect();
        assert_eq!(found, [(1, "b.md"), (5, "h.md")]);
    }
}
