//! How do notifications find their way? One kind of job, and an executor that knows the channels.
//!
//! Run with:
//!
//! ```text
//! cargo run --example dispatch_notifications
//! ```
//!
//! In memory, and over at once.

#![expect(clippy::print_stdout, reason = "a program talks to people")]

use std::collections::BTreeSet;

use pgqueuer::{
    BoxError, Call, Cause, Executor, IntoOutcome, Outcome, Requirement, async_trait, prelude::*,
};
use serde::{Deserialize, Serialize};

/// The ways to a user. In real life these have clients and keys.
struct Mail;
struct Sms;
struct Webhooks;

/// Who wants no notifications at all.
struct Muted(BTreeSet<i64>);

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Channel {
    Mail,
    Sms { number: String },
    Webhook { url: String },
}

/// Notifies a user. The handler sends mail; the other ways are up to [`Dispatch`].
#[job(queue = "notifications", executor = Dispatch, max_attempts = 3, timeout = "30s")]
async fn notify(
    user: i64,
    channel: Channel,
    text: String,
    mail: State<Mail>,
) -> Result<(), String> {
    let _ = channel;
    mail.send(user, &text)
}

/// Decides which way a notification goes, and whether it goes at all.
struct Dispatch;

impl Dispatch {
    async fn dispatch(call: &mut Call) -> pgqueuer::Result<Outcome> {
        let Notify {
            user,
            channel,
            text,
        } = call.job()?;
        if call.state::<Muted>()?.0.contains(&user) {
            return Ok(Outcome::Cancelled("the user wants no notifications".into()));
        }
        Ok(match channel {
            Channel::Mail => call.run().await,
            Channel::Sms { number } => call.state::<Sms>()?.send(&number, &text).into_outcome(),
            Channel::Webhook { url } => call.state::<Webhooks>()?.post(&url, &text).into_outcome(),
        })
    }
}

#[async_trait]
impl Executor for Dispatch {
    // A worker that lacks one of them does not even start.
    fn requirements(&self) -> Vec<Requirement> {
        vec![
            Requirement::of::<Muted>(),
            Requirement::of::<Sms>(),
            Requirement::of::<Webhooks>(),
        ]
    }

    async fn execute(&self, mut call: Call) -> Outcome {
        match Self::dispatch(&mut call).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Held(Cause::of(&error)),
        }
    }
}

impl Mail {
    fn send(&self, user: i64, text: &str) -> Result<(), String> {
        println!("mail to user {user}: {text}");
        Ok(())
    }
}

impl Sms {
    fn send(&self, number: &str, text: &str) -> Result<(), String> {
        println!("text message to {number}: {text}");
        Ok(())
    }
}

impl Webhooks {
    fn post(&self, url: &str, text: &str) -> Result<(), String> {
        println!("POST {url}: {text}");
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let pgq = PgQueuer::in_memory();
    let (number, url) = (
        "+47 555 0100".to_owned(),
        "https://hooks.example/7".to_owned(),
    );
    let notifications = [
        (1, Channel::Mail),
        (2, Channel::Sms { number }),
        (3, Channel::Webhook { url }),
        (666, Channel::Mail),
    ];
    let notifications = notifications.map(|(user, channel)| Notify {
        user,
        channel,
        text: "your order is on its way".to_owned(),
    });
    Notify::enqueue_many(&pgq, notifications).await?;

    let worker = pgq.worker().state(Mail).state(Sms).state(Webhooks);
    let worker = worker.state(Muted([666].into())).build()?;
    let report = worker.drain().await?;
    println!("{} sent, {} not wanted", report.completed, report.cancelled);
    Ok(())
}
