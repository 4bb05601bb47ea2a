//! `completions` and `man`: what a shell and a reader of manuals need. They connect to nothing.

use std::{fs, io, path::PathBuf};

use clap::{Args, Command};
use clap_complete::Shell;

use crate::{
    exit::Failure,
    output::{Output, note},
};

/// Prints what a shell needs to complete the commands of this program.
///
/// For bash, say: `pgq completions bash > /etc/bash_completion.d/pgq`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Which shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the manual page of this program, or writes one for each command into a directory.
///
/// `pgq man | man -l -` shows it.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Where to write `pgq.1`, `pgq-jobs.1` and so on.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn completions(
    args: &CompletionsArgs,
    mut program: Command,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let name = program.get_bin_name().unwrap_or(program.get_name());
    let name = name.to_owned();
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut program, name, &mut text);
    output.text(&String::from_utf8_lossy(&text))
}

pub(super) fn man(
    args: &ManArgs,
    program: Command,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    match &args.dir {
        None => {
            let mut text = Vec::new();
            let name = program.get_display_name().map(str::to_owned);
            let page = clap_mangen::Man::new(program);
            // Of somebody's worker, the version is not ours to tell.
            let page = name.into_iter().fold(page, clap_mangen::Man::source);
            page.render(&mut text)?;
            output.text(&String::from_utf8_lossy(&text))
        }
        Some(dir) => {
            let failed = |error: io::Error| {
                let message = format!("failed to write manual pages to {}", dir.display());
                Failure::refused(message).because(error)
            };
            fs::create_dir_all(dir).map_err(failed)?;
            clap_mangen::generate_to(program, dir).map_err(failed)?;
            note(format!("wrote the manual pages to {}", dir.display()));
            Ok(())
        }
    }
}
