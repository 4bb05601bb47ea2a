//! `sql`: prints what `install` would run, for those who apply it by other means.

use crate::{cli::GlobalArgs, exit::Failure, output::Output};

pub(super) fn run(global: &GlobalArgs, output: &mut Output<'_>) -> Result<(), Failure> {
    output.text(&pgqueuer::ddl(&global.schema))
}
