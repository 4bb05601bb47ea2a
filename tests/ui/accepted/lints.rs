//! Strict crates compile, and attributes of the function do what they do there.

#![deny(missing_docs, warnings, unreachable_pub, unused_qualifications)]
#![forbid(unsafe_code)]
#![deny(clippy::all, clippy::pedantic)]
#![allow(clippy::unused_async, reason = "the jobs do nothing")]

use pgqueuer::{Context, State, job, schedule};

/// Sends the welcome mail.
///
/// Twice, if need be.
#[job]
#[must_use = "it is a future"]
#[allow(clippy::missing_errors_doc, reason = "it is a test")]
pub async fn send_welcome(
    /// Who is new.
    user_id: i64,
    mut locale: String,
    #[expect(unused_variables, reason = "not yet")] unused: u8,
) -> Result<(), String> {
    locale.push_str(&user_id.to_string());
    Ok(())
}

/// Nobody should use this.
#[deprecated = "use `send_welcome`"]
#[job]
pub async fn send_old(user_id: i64) {
    let _ = user_id;
}

/// Only without features that do not exist.
#[cfg(any())]
#[job]
pub async fn missing(user: NoSuchType, state: State<NoSuchType>) {}

/// Always there.
#[job]
#[cfg(not(any()))]
pub async fn present(context: &Context) {
    let _ = context.attempt();
}

#[schedule(every = "1h")]
async fn private(_context: Context, _: State<u8>) {}

fn main() {}
