//! The small examples run to their end, and say what they are for.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::process::{Command, Stdio};

/// What an example prints. Cargo builds the examples of a package with its tests, into the folder
/// beside them.
fn told_by(example: &str) -> String {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap().join("examples");
    let program = folder
        .join(example)
        .with_extension(std::env::consts::EXE_EXTENSION);
    let output = Command::new(program).stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let problems = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}{problems}");
    told
}

#[track_caller]
fn assert_told(told: &str, lines: &[&str]) {
    for line in lines {
        assert!(told.contains(line), "no `{line}` in\n{told}");
    }
}

#[test]
fn retry_with_backoff() {
    let told = told_by("retry_with_backoff");
    assert_told(
        &told,
        &[
            "the forecast: sun in Oslo",
            "attempt 3 to print",
            "the old printer is out of paper",
            "4 retries, 1 held for a person",
        ],
    );
    assert_eq!(told.matches("no answer").count(), 2, "{told}");
}

#[test]
fn dispatch_notifications() {
    let told = told_by("dispatch_notifications");
    assert_told(
        &told,
        &[
            "mail to user 1: your order is on its way",
            "text message to +47 555 0100: your order is on its way",
            "POST https://hooks.example/7: your order is on its way",
            "3 sent, 1 not wanted",
        ],
    );
    assert!(!told.contains("user 666"), "{told}");
}

#[test]
fn any_strategy() {
    let told = told_by("any_strategy");
    assert_told(
        &told,
        &[
            "a second try of charge 1",
            "busy for 300 ms: again in 300ms",
            "no money in the account: not again",
            "charged account 1",
            "charged account 3",
            "2 charged, 1 given up",
        ],
    );
}
