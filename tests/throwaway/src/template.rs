//! The template: the result of `initdb`, made once a day and copied from then on.
//!
//! A template is complete or absent, because it gets its name by a rename after
//! `initdb` succeeded. It is an optimisation: whoever cannot have one runs `initdb`
//! in the run folder instead, which takes half a second longer.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::{self, Stdio},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::{
    folder::{self, Folder},
    user::ServerUser,
};

/// What `initdb` gets besides the folder. `-N`: a folder lost in a crash of the
/// machine is not missed.
pub(crate) const INITDB_ARGUMENTS: [&str; 8] = [
    "-U",
    "postgres",
    "-A",
    "trust",
    "-E",
    "UTF8",
    "--no-locale",
    "-N",
];

/// A template that stays while this value does.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) path: PathBuf,
    /// Locked against removal, shared with others that copy.
    _lock: File,
}

/// How the names of today's templates begin.
///
/// Yesterday's are stale: programs that tidy up /tmp remove single files once they
/// are some days old, and the server would start without noticing.
pub(crate) fn prefix_of_today() -> String {
    const SECONDS_A_DAY: u64 = 24 * 60 * 60;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    format!(
        "template-{}-",
        now.unwrap_or_default().as_secs() / SECONDS_A_DAY
    )
}

impl Template {
    /// Returns the template in `base` for this PostgreSQL, made now if need be.
    ///
    /// `None` if that fails for whatever reason.
    pub(crate) fn get(base: &Path, bin: &Path, version: &str, user: &ServerUser) -> Option<Self> {
        // One at a time: parallel first starts would all run `initdb` for nothing.
        let base_lock = File::open(base).ok()?;
        wait_for_lock(&base_lock)?;

        let path = base.join(format!("{}{:016x}", prefix_of_today(), key(bin, version)));
        if let Some(lock) = folder::lock_shared(&path) {
            return Some(Self { path, _lock: lock });
        }

        let Folder { path: new, lock } = folder::claim(base, "new", user).ok()?;
        let made = user
            .command(bin.join("initdb"))
            .args(INITDB_ARGUMENTS)
            .arg("-D")
            .arg(&new)
            // Keeps the folder locked until `initdb` ends, should we die before.
            .stdin(Stdio::from(lock.try_clone().ok()?))
            .output()
            .is_ok_and(|output| output.status.success());
        if !made || fs::rename(&new, &path).is_err() {
            folder::remove([new.as_path()], user);
            return None;
        }
        drop(lock);
        let lock = folder::lock_shared(&path)?;
        Some(Self { path, _lock: lock })
    }

    /// Takes this template out of use, because a server did not start from it.
    pub(crate) fn discard(self) {
        // Others may be copying it right now. Under another name it is stale, and a
        // later start removes it once the locks are gone.
        let stale = format!("broken-{}", process::id());
        let _ = fs::rename(&self.path, self.path.with_file_name(stale));
    }
}

/// Tells templates of different PostgreSQL builds apart.
fn key(bin: &Path, version: &str) -> u64 {
    // Nothing is synced to disk, so a template does not outlive a crash of the
    // machine. Only Linux has this file; elsewhere /tmp is emptied at boot.
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    (bin, version, boot, INITDB_ARGUMENTS).hash(&mut hasher);
    hasher.finish()
}

/// Waits up to 30 s, a guess at the slowest `initdb`. `None` if that was not enough.
fn wait_for_lock(file: &File) -> Option<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while file.try_lock().is_err() {
        if Instant::now() > deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
    Some(())
}
