//! What the programs in `bin/` have in common: workers as processes, and a verdict at the end.

use std::{error::Error, io, process::ExitCode, thread};

/// Whatever goes wrong ends a program.
pub type Result<T = (), E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// Ends this process when the one that started it is gone, and the pipe between them closed.
pub fn end_with_parent() {
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(1);
    });
}

/// Tells what was wrong, or that all is well.
#[expect(clippy::print_stdout, reason = "programs tell what they saw")]
pub fn verdict(wrong: &[String]) -> ExitCode {
    for problem in wrong {
        println!("WRONG: {problem}");
    }
    if wrong.is_empty() {
        println!("all is well");
        return ExitCode::SUCCESS;
    }
    ExitCode::FAILURE
}
