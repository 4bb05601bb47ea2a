//! Running other programs, and saying so.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use crate::Result;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// A program, to be run in the root of the workspace.
pub(crate) fn program(name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(args).current_dir(root());
    command
}

/// The cargo that runs this program.
pub(crate) fn cargo(args: &[&str]) -> Command {
    program(
        &env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()),
        args,
    )
}

/// Prints a command, runs it, and fails if it does.
pub(crate) fn run(mut command: Command) -> Result {
    let line = describe(&command);
    eprintln!("$ {line}");
    let status = command
        .status()
        .map_err(|error| format!("failed to run `{line}`: {error}"))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("`{line}` ended with {status}"))
}

/// Prints a command, runs it, and returns what it printed.
pub(crate) fn output(mut command: Command) -> Result<String> {
    let line = describe(&command);
    eprintln!("$ {line}");
    let output = command
        .output()
        .map_err(|error| format!("failed to run `{line}`: {error}"))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(format!("`{line}` ended with {}\n{reason}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{line}` printed what is not UTF-8"))
}

/// A command as one would type it, with the variables that it gets.
fn describe(command: &Command) -> String {
    let mut words: Vec<String> = Vec::new();
    for (name, value) in command.get_envs() {
        let value = value.map(|it| it.to_string_lossy()).unwrap_or_default();
        words.push(format!("{}={}", name.to_string_lossy(), quoted(&value)));
    }
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    words.push(name.to_string_lossy().into_owned());
    words.extend(command.get_args().map(|it| quoted(&it.to_string_lossy())));
    words.join(" ")
}

fn quoted(word: &str) -> String {
    if word.is_empty() || word.contains(char::is_whitespace) {
        return format!("'{word}'");
    }
    word.to_owned()
}
