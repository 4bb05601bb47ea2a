//! `cargo xtask bless`: rewrites what tests compare with: snapshots and compiler messages.

use crate::{Result, shell, test::Server};

pub(crate) fn run() -> Result {
    let server = Server::any()?;
    let mut command = server.cargo(&["test", "--workspace", "--all-features", "--no-fail-fast"]);
    command
        .env("TRYBUILD", "overwrite")
        .env("UPDATE_EXPECT", "1");
    // The tests whose expectations were rewritten may have failed on the way.
    if let Err(problem) = shell::run(command) {
        eprintln!("{problem}");
    }
    eprintln!("read the changes before you commit them: git diff");
    Ok(())
}
