//! Folders: made for one user, locked while in use, removed when not.
//!
//! ```text
//! /tmp/throwaway-pg-<uid>/          private to the server's user
//!     run-<pid>-<n>/                one server: data/, server.log, its socket
//!     template-<day>-<hash>/        the result of `initdb`, copied by later starts
//!     new-<pid>-<n>/                a template in the making
//! ```
//!
//! Locks belong to open files, not to process ids: the kernel releases them with
//! the last process that has the folder open, so an id that was given out again, or
//! one of another container, cannot confuse anybody.

use std::{
    env,
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::{self, Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::{StartError, user::ServerUser};

/// The longest path of a socket, in bytes. The limit of macOS is 103, of Linux 107.
const SOCKET_PATH_LIMIT: usize = 100;

/// Stands for the longest name that a run folder and its socket can have.
const LONGEST_SOCKET_NAME: &str = "run-4194304-99999/.s.PGSQL.5432";

/// Makes the private folder $1 unless it is there, and the new folder $2 in it.
///
/// One script, so that another server's clean-up cannot remove the empty $1 unseen
/// between two steps: the second `mkdir` then fails, and the caller tries again.
const CLAIM: &str =
    r#"mkdir -m 700 "$1" 2>/dev/null; cd "$1" && test -w . || exit 3; mkdir -m 700 "$2""#;

/// What [`CLAIM`] exits with if the server's user cannot work in the folder.
const OUT_OF_REACH: i32 = 3;

/// A folder that nobody else uses.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    /// Locked. Whoever holds this file, or a copy of it, keeps the folder.
    pub(crate) lock: File,
}

/// Makes and locks the folder of a new server, in the first place that will do.
pub(crate) fn claim_run(user: &ServerUser) -> Result<Folder, StartError> {
    let mut reasons = Vec::new();
    // TMPDIR may be a long path, or root's own; /tmp is neither.
    let mut parents = vec![env::temp_dir(), PathBuf::from("/tmp")];
    parents.dedup();
    for parent in parents {
        match base_in(&parent, user).and_then(|base| claim(&base, "run", user)) {
            Ok(folder) => return Ok(folder),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(StartError::failed(format!(
        "found no place for the server's files: {}; set TMPDIR to a folder with a short \
         path that user {} can write to",
        reasons.join("; "),
        user.name()
    )))
}

/// The path of the private folder in `parent`, if a socket in it can have a name.
fn base_in(parent: &Path, user: &ServerUser) -> Result<PathBuf, String> {
    let base = path::absolute(parent)
        .map_err(|e| e.to_string())?
        .join(format!("throwaway-pg-{}", user.uid()));
    let length = base.join(LONGEST_SOCKET_NAME).as_os_str().len();
    if length > SOCKET_PATH_LIMIT {
        return Err(format!("{} is too long for a socket", parent.display()));
    }
    match base.to_str() {
        // PostgreSQL reads the folder of the socket as a quoted list.
        Some(text) if !text.contains('"') => Ok(base),
        _ => Err(format!("{} has an unusual name", parent.display())),
    }
}

/// Makes and locks a new folder named after `kind` in `base`.
pub(crate) fn claim(base: &Path, kind: &str, user: &ServerUser) -> Result<Folder, String> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let mut complaint = String::new();
    // A try is lost to a process of another container with our id, or to a clean-up
    // between making and locking. Both are rare; 50 is a guess beyond bad luck.
    for _ in 0..50 {
        if base.symlink_metadata().is_ok() {
            check_private(base, user)?;
        }
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = base.join(format!("{kind}-{}-{number}", process::id()));
        let output = user
            .command("/bin/sh")
            .args(["-c", CLAIM, "claim"])
            .args([base, path.as_path()])
            .output()
            .map_err(|e| format!("failed to run /bin/sh: {e}"))?;
        if output.status.code() == Some(OUT_OF_REACH) {
            let (user, base) = (user.name(), base.display());
            return Err(format!("user {user} cannot write to {base}"));
        }
        complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            continue;
        }
        // Once more, as somebody may have made it while we were about to.
        check_private(base, user)?;
        if let Some(lock) = lock(&path) {
            return Ok(Folder { path, lock });
        }
    }
    Err(format!("failed to make a folder: {}", complaint.trim()))
}

/// Refuses a folder that somebody else made, or may write to.
///
/// /tmp is open to all: a stranger may have made the folder, or a link, in advance.
fn check_private(base: &Path, user: &ServerUser) -> Result<(), String> {
    let metadata = base
        .symlink_metadata()
        .map_err(|e| format!("failed to look at {}: {e}", base.display()))?;
    let is_private = metadata.is_dir() && metadata.mode() & 0o077 == 0;
    if is_private && metadata.uid() == user.uid() {
        return Ok(());
    }
    Err(format!(
        "{} is not a private folder of user {}, remove it",
        base.display(),
        user.name()
    ))
}

/// Locks the folder at `path`; `None` if it is in use or gone.
pub(crate) fn lock(path: &Path) -> Option<File> {
    let folder = File::open(path).ok()?;
    folder.try_lock().ok()?;
    is_still_at(&folder, path).then_some(folder)
}

/// Like [`lock`], beside others that only read the folder as well.
pub(crate) fn lock_shared(path: &Path) -> Option<File> {
    let folder = File::open(path).ok()?;
    folder.try_lock_shared().ok()?;
    is_still_at(&folder, path).then_some(folder)
}

/// Whether the locked folder has not been removed or replaced before it was locked.
fn is_still_at(folder: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (folder.metadata(), path.symlink_metadata()) else {
        return false;
    };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

/// Removes what dead machines, supervisors and days left in `base`.
///
/// `keep` is how the names of today's templates begin: those are not in use all the
/// time, but wanted.
pub(crate) fn sweep(base: &Path, keep: &str, user: &ServerUser) {
    let stale: Vec<Folder> = fs::read_dir(base)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with(keep))
        .filter_map(|entry| {
            let path = entry.path();
            let lock = lock(&path)?;
            Some(Folder { path, lock })
        })
        .collect();
    // Still locked, so that nobody else removes the same folders.
    remove(stale.iter().map(|it| it.path.as_path()), user);
}

/// Removes folders as far as possible; what stays is left to the next [`sweep`].
pub(crate) fn remove<'a>(paths: impl IntoIterator<Item = &'a Path>, user: &ServerUser) {
    let mut paths = paths.into_iter().peekable();
    if paths.peek().is_some() {
        let _ = user.command("rm").arg("-rf").args(paths).output();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_is_refused() {
        let user = ServerUser::detect().unwrap();
        assert!(base_in(Path::new("/tmp"), &user).is_ok());
        let long = PathBuf::from("/tmp").join("x".repeat(60));
        assert!(base_in(&long, &user).unwrap_err().contains("too long"));
    }

    #[test]
    fn a_folder_open_to_others_is_refused() {
        let user = ServerUser::detect().unwrap();
        let error = check_private(Path::new("/tmp"), &user).unwrap_err();
        assert!(error.contains("not a private folder"), "{error}");
    }
}
