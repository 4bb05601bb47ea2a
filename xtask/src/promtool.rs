//! promtool, which belongs to Prometheus: tests check metrics and alerts with it.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::{
    Result, postgres,
    shell::{self, program},
};

/// Where it is. `None`: the tests find it by themselves, or there is none to be had; then they say
/// what they leave out.
pub(crate) fn find_or_fetch() -> Option<PathBuf> {
    let is_named = env::var_os("PGQ_PROMTOOL").is_some();
    if is_named || program("promtool", &["--version"]).output().is_ok() {
        return None;
    }
    let folder = postgres::cache().join("prometheus");
    let promtool = folder.join("usr/bin/promtool");
    if promtool.exists() {
        return Some(promtool);
    }
    if !postgres::can_install() {
        eprintln!("there is no promtool here; install Prometheus to check metrics with it");
        return None;
    }
    match fetch(&folder) {
        Ok(()) => Some(promtool),
        Err(problem) => {
            eprintln!("{problem}");
            None
        }
    }
}

/// Unpacks Debian's package, and does not install it: that would start a server.
fn fetch(folder: &Path) -> Result {
    let new = folder.with_extension(format!("new-{}", std::process::id()));
    fs::create_dir_all(&new)
        .map_err(|error| format!("failed to make {}: {error}", new.display()))?;
    let fetched = unpack(&new).and_then(|()| {
        let moved = fs::rename(&new, folder);
        moved.map_err(|error| format!("failed to make {}: {error}", folder.display()))
    });
    // What is left of it, if anything.
    let _ = fs::remove_dir_all(&new);
    fetched
}

fn unpack(folder: &Path) -> Result {
    shell::run(program("apt-get", &["update"]))?;
    let mut download = program("apt-get", &["download", "prometheus"]);
    download.current_dir(folder);
    shell::run(download)?;
    let mut unpack = program(
        "sh",
        &[
            "-c",
            "dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb",
        ],
    );
    unpack.current_dir(folder);
    shell::run(unpack)
}
