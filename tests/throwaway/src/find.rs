//! Where PostgreSQL's server binaries are on this machine.

use std::{
    cmp::Reverse,
    env,
    env::consts::EXE_SUFFIX,
    fs,
    path::{Path, PathBuf},
};

use crate::StartError;

/// Names the folder to use, ahead of all that can be found.
const VARIABLE: &str = "PGQ_PG_BIN";

/// What to set it to for a machine that has no PostgreSQL, in effect.
const NONE: &str = "none";

/// Folders that hold one folder per PostgreSQL version, and what those start with.
///
/// In order: Debian and Ubuntu; the RPM packages of postgresql.org; Alpine;
/// Homebrew on Apple silicon and on Intel; Postgres.app; the Windows installer.
const PLACES: [(&str, &str); 7] = [
    ("/usr/lib/postgresql", ""),
    ("/usr", "pgsql-"),
    ("/usr/libexec", "postgresql"),
    ("/opt/homebrew/opt", "postgresql"),
    ("/usr/local/opt", "postgresql"),
    ("/Applications/Postgres.app/Contents/Versions", ""),
    (r"C:\Program Files\PostgreSQL", ""),
];

/// Finds the folder with PostgreSQL's server binaries, `initdb` and `postgres`.
///
/// Looks at the variable `PGQ_PG_BIN`, at the `PATH` (through symbolic links), then
/// at the folders of Debian, the RPM packages, Alpine, Homebrew, Postgres.app and
/// the Windows installer, the highest version first. If `PGQ_PG_BIN` is set, not
/// empty and wrong, the answer is `None`, never another folder. Set to `none`, nothing is
/// looked for, as if the machine had no PostgreSQL.
pub fn bin_dir() -> Option<PathBuf> {
    locate(None).ok()
}

/// Like [`bin_dir`], with `chosen` ahead of everything else and with reasons.
pub(crate) fn locate(chosen: Option<&Path>) -> Result<PathBuf, StartError> {
    if let Some(dir) = chosen {
        return checked(dir, "the chosen folder for PostgreSQL");
    }
    if let Some(dir) = env::var_os(VARIABLE).filter(|it| !it.is_empty()) {
        if dir == NONE {
            return Err(StartError::not_found());
        }
        return checked(Path::new(&dir), VARIABLE);
    }
    on_path()
        .into_iter()
        .chain(PLACES.iter().flat_map(|(root, prefix)| {
            // A place that is absent on this platform is simply empty.
            versions_in(Path::new(root), prefix)
        }))
        .find(|it| holds_server(it))
        .ok_or_else(StartError::not_found)
}

fn checked(dir: &Path, origin: &str) -> Result<PathBuf, StartError> {
    if holds_server(dir) {
        // Absolute, because the server programs run in another working folder.
        return fs::canonicalize(dir)
            .map_err(|e| StartError::io(format!("failed to resolve {}", dir.display()), e));
    }
    let below = dir.join("bin");
    let next = if holds_server(&below) {
        format!("use {} instead", below.display())
    } else {
        "give the folder that holds both".to_owned()
    };
    Err(StartError::failed(format!(
        "{origin} is {}, which does not hold `initdb` and `postgres`; {next}",
        dir.display()
    )))
}

fn holds_server(dir: &Path) -> bool {
    ["initdb", "postgres"]
        .iter()
        .all(|program| dir.join(format!("{program}{EXE_SUFFIX}")).is_file())
}

/// Folders on the `PATH` that hold `initdb`, as links resolve.
fn on_path() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        // A link on the PATH says where the binary is, and its siblings and
        // libraries are found from there.
        .filter_map(|dir| fs::canonicalize(dir.join(format!("initdb{EXE_SUFFIX}"))).ok())
        .filter_map(|program| program.parent().map(Path::to_path_buf))
        .collect()
}

/// The `bin` folders (and, for Alpine, the folders) of all versions, highest first.
fn versions_in(root: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut found: Vec<(Option<u32>, PathBuf)> = fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(prefix)?;
            Some((major(version), entry.path()))
        })
        .collect();
    // As numbers, since 9 would come before 10 as text. An unnumbered folder
    // (`latest`, `postgresql`) comes last: it repeats one of the others.
    found.sort_by_key(|(version, _)| Reverse(*version));
    found
        .into_iter()
        .flat_map(|(_, dir)| [dir.join("bin"), dir])
        .collect()
}

/// The leading number of `17`, `@17` or `9.6`.
fn major(version: &str) -> Option<u32> {
    let version = version.trim_start_matches('@');
    let digits = version.find(|it: char| !it.is_ascii_digit());
    version[..digits.unwrap_or(version.len())].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_version_comes_first() {
        let root = env::temp_dir().join(format!("throwaway-find-{}", std::process::id()));
        for name in ["postgresql@9", "postgresql@17", "postgresql", "postgis@18"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        let found = versions_in(&root, "postgresql");
        fs::remove_dir_all(&root).unwrap();

        let expected = ["postgresql@17", "postgresql@9", "postgresql"]
            .map(|name| [root.join(name).join("bin"), root.join(name)]);
        assert_eq!(found, expected.concat());
    }

    #[test]
    fn versions_are_read_as_numbers() {
        assert_eq!(major("@17"), Some(17));
        assert_eq!(major("9.6"), Some(9));
        assert_eq!(major("latest"), None);
    }

    #[test]
    fn a_wrong_folder_is_an_error_that_names_it() {
        let error = locate(Some(Path::new("/nowhere"))).unwrap_err();
        assert!(!error.is_not_found());
        assert!(error.to_string().contains("/nowhere"), "{error}");
    }
}
