//! What is it like? Typed jobs, a retry, a delay, a batch, a transaction and a schedule, in
//! ten seconds.
//!
//! Run with:
//!
//! ```text
//! cargo run --example quickstart
//! ```
//!
//! With `DATABASE_URL` it uses that database, in a schema of its own that it removes again.
//! Without, it starts a throw-away PostgreSQL from binaries that it finds on the machine; and
//! if there are none, it runs in memory.

mod database;
mod jobs;
mod story;

use std::time::Duration;

use pgqueuer::{BoxError, prelude::*};

use database::Database;
use jobs::{Import, PayInvoice, SendReminder, SendWelcome, Thumbnail};
use story::{Story, narrate};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let database = Database::find().await?;
    let pgq = database.queue();
    let story = Story::begin(&database.description());

    let worker = pgq.worker().state(story.clone()).concurrency(20).build()?;
    let producer = tokio::spawn(enqueue_everything(pgq.clone(), story.clone()));
    let report = worker
        .run_until(story.clone().ended_or_interrupted())
        .await?;
    producer.await??;

    story.end(&report);
    database.clean_up().await?;
    Ok(())
}

/// The producer. In real life this is your web server.
async fn enqueue_everything(pgq: PgQueuer, story: Story) -> Result<(), BoxError> {
    narrate!(
        story,
        "enqueue",
        "a typed job: SendWelcome {{ user_id: 42, locale: \"nb\" }}"
    );
    SendWelcome {
        user_id: 42,
        locale: "nb".into(),
    }
    .enqueue(&pgq)
    .await?;

    narrate!(
        story,
        "enqueue",
        "PayInvoice, whose payment service is down at first"
    );
    PayInvoice {
        invoice: 7,
        amount: 129.5,
    }
    .enqueue(&pgq)
    .await?;

    narrate!(story, "enqueue", "SendReminder, in 1.5 seconds");
    SendReminder { user_id: 42 }
        .options()
        .delay(Duration::from_millis(1500))
        .header("asked-by", "the sales team")
        .enqueue(&pgq)
        .await?;

    narrate!(story, "enqueue", "200 × Thumbnail, in one round trip");
    let pictures = (1..=200).map(|picture| Thumbnail {
        picture,
        width: 320,
    });
    Thumbnail::enqueue_many(&pgq, pictures).await?;

    narrate!(story, "enqueue", "Import, of a file that cannot be read");
    Import {
        path: "/data/orders.csv".into(),
    }
    .enqueue(&pgq)
    .await?;

    let Some(pool) = pgq.pool() else {
        narrate!(
            story,
            "note",
            "no transactions in memory: that scene is left out"
        );
        return Ok(());
    };
    let mut transaction = pool.begin().await?;
    SendWelcome {
        user_id: 666,
        locale: "xx".into(),
    }
    .enqueue(pgq.on(&mut transaction))
    .await?;
    transaction.rollback().await?;
    narrate!(
        story,
        "rollback",
        "SendWelcome {{ user_id: 666 }} was never enqueued"
    );

    let mut transaction = pool.begin().await?;
    SendWelcome {
        user_id: 43,
        locale: "en".into(),
    }
    .enqueue(pgq.on(&mut transaction))
    .await?;
    transaction.commit().await?;
    narrate!(story, "commit", "SendWelcome {{ user_id: 43 }} was");
    Ok(())
}
