//! Who the server runs as: PostgreSQL refuses to run as root.

use std::{ffi::OsStr, os::unix::process::CommandExt, process::Command};

use crate::StartError;

/// Users to become when started as root, in this order.
///
/// A user must have an entry in the user database, or `initdb` fails; `nobody` has
/// one everywhere.
const INSTEAD_OF_ROOT: [&str; 2] = ["postgres", "nobody"];

/// The owner of the server and of all its files.
#[derive(Clone, Debug)]
pub(crate) struct ServerUser {
    uid: u32,
    /// The group to change to along with `uid`; `None` to stay who we are.
    become_group: Option<u32>,
    name: String,
}

impl ServerUser {
    pub(crate) fn detect() -> Result<Self, StartError> {
        // `id` rather than /proc/self, whose owner is root for some processes that
        // are not, and which macOS lacks.
        let uid = ask_id(&["-u"])
            .ok_or_else(|| StartError::failed("failed to run `id -u` to find the current user"))?;
        if uid != 0 {
            return Ok(Self {
                uid,
                become_group: None,
                name: format!("with id {uid}"),
            });
        }
        INSTEAD_OF_ROOT
            .iter()
            .find_map(|name| {
                Some(Self {
                    uid: ask_id(&["-u", name])?,
                    become_group: Some(ask_id(&["-g", name])?),
                    name: (*name).to_owned(),
                })
            })
            .ok_or_else(|| {
                StartError::failed(
                    "PostgreSQL refuses to run as root, and there is no user `postgres` or \
                     `nobody` to run it instead; create one, or run as an ordinary user",
                )
            })
    }

    pub(crate) fn uid(&self) -> u32 {
        self.uid
    }

    /// How to name this user in a message: "user " and this.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A command that runs as this user.
    ///
    /// Everything inside the server's folders is done this way, also by root: a
    /// folder of `nobody` may hold traps that only root would fall into.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = crate::command(program);
        // The current folder may be closed to this user.
        command.current_dir("/");
        if let Some(gid) = self.become_group {
            // The standard library drops root's supplementary groups as well.
            command.uid(self.uid).gid(gid);
        }
        command
    }
}

fn ask_id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    if !output.status.success() {
        return None;
    }
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_never_runs_as_root() {
        let user = ServerUser::detect().unwrap();
        assert_ne!(user.uid(), 0);
        let output = user.command("id").arg("-u").output().unwrap();
        let uid = String::from_utf8(output.stdout).unwrap();
        assert_eq!(uid.trim(), user.uid().to_string());
    }

    #[test]
    fn an_unknown_user_has_no_id() {
        assert_eq!(ask_id(&["-u", "no-such-user-here"]), None);
    }
}
