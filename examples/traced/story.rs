//! What is traced: somebody orders; the receipt is sent, at the second try, and filed. It is the same
//! for each exporter.

use pgqueuer::{BoxError, JobHandle, prelude::*};
use pgqueuer_cli::App;

/// Fails at first. The second attempt is in the same trace.
#[job(max_attempts = 3, backoff(base = "100ms", jitter = 0))]
async fn send_receipt(order: i64, context: Context, pgq: State<PgQueuer>) -> Result<i64, BoxError> {
    let attempt = context.attempt();
    if attempt == 1 {
        println!("order {order}: attempt 1 fails");
        return Err("the mail server is busy".into());
    }
    println!("order {order}: attempt {attempt} sends the receipt");
    // In the trace, too, since it is enqueued in the span of this attempt.
    let filing = FileReceipt { order }.enqueue(&*pgq).await?;
    Ok(filing.id().as_i64())
}

#[job]
async fn file_receipt(order: i64) {
    tracing::info!(order, "filed");
    println!("order {order}: filed");
}

/// The producer. In real life, a request to your web server.
#[tracing::instrument(skip(pgq))]
async fn place_order(pgq: &PgQueuer, order: i64) -> pgqueuer::Result<JobHandle<SendReceipt>> {
    let sending = SendReceipt { order }.enqueue(pgq).await?;
    println!("order {order}: placed; the receipt is job {}", sending.id());
    Ok(sending)
}

/// Without arguments, all of it in memory. With `order`, only the producer; with anything else, what
/// [`App`] makes of it: `worker`, say. These two are on the database of `DATABASE_URL`.
pub(crate) async fn tell() -> Result<(), BoxError> {
    match std::env::args().nth(1).as_deref() {
        None => in_memory().await,
        Some("order") => {
            let pgq = PgQueuer::connect(&std::env::var("DATABASE_URL")?).await?;
            place_order(&pgq, 7).await?;
            pgq.close().await;
            Ok(())
        }
        // Not `run`, which ends the process if a command fails, with the last spans not sent yet.
        Some(_) => {
            let app = App::new();
            Ok(app
                .try_run_from(std::env::args_os(), &mut std::io::stdout())
                .await?)
        }
    }
}

async fn in_memory() -> Result<(), BoxError> {
    let pgq = PgQueuer::in_memory();
    let worker = pgq.worker().build()?;
    let receipt = place_order(&pgq, 7).await?;
    // Works until the receipt is filed.
    let filed = async move {
        let filing = JobId::from(receipt.wait().await?);
        JobHandle::<FileReceipt>::of(&pgq, filing).wait().await
    };
    let over = async {
        if let Err(error) = filed.await {
            println!("the receipt was not filed: {error}");
        }
    };
    worker.run_until(over).await?;
    Ok(())
}
