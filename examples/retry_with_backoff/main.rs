//! How is a job tried again? One whose service comes back, and one whose service does not.
//!
//! Run with:
//!
//! ```text
//! cargo run --example retry_with_backoff
//! ```
//!
//! In memory, and over in a second. On PostgreSQL it is the same: `PgQueuer::connect(url)`.

#![expect(clippy::print_stdout, reason = "a program talks to people")]

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Instant,
};

use pgqueuer::{BoxError, prelude::*};

/// A service that does not answer its first two callers.
struct Weather {
    calls: AtomicU32,
    began: Instant,
}

impl Weather {
    fn ask(&self, city: &str) -> Result<String, String> {
        let after = self.began.elapsed().as_millis();
        match self.calls.fetch_add(1, Relaxed) {
            0 | 1 => {
                println!("after {after} ms: no answer");
                Err("the service does not answer".to_owned())
            }
            _ => {
                println!("after {after} ms: an answer");
                Ok(format!("sun in {city}"))
            }
        }
    }
}

/// Tried up to five times: again after 100 ms, 200 ms, 400 ms and 800 ms, give or take 10 %.
#[job(
    max_attempts = 5,
    backoff(base = "100ms", factor = 2, max = "1s", jitter = 0.1)
)]
async fn forecast(city: String, weather: State<Weather>) -> Result<String, String> {
    weather.ask(&city)
}

/// Tried three times, with waits of its own. Then it is held, with its errors, for a person.
#[job(max_attempts = 3, backoff = ["50ms", "100ms"])]
async fn print_forecast(printer: String, context: &Context) -> Result<(), String> {
    println!("attempt {} to print", context.attempt());
    Err(format!("{printer} is out of paper"))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let pgq = PgQueuer::in_memory();
    let city = "Oslo".to_owned();
    let forecast = Forecast { city }.enqueue(&pgq).await?;
    let printer = "the old printer".to_owned();
    let printed = PrintForecast { printer }.enqueue(&pgq).await?;

    let weather = Weather {
        calls: AtomicU32::new(0),
        began: Instant::now(),
    };
    let worker = pgq.worker().state(weather).build()?;

    // Works until both are over.
    let (answered, given_up) = (forecast.wait(), printed.wait());
    let both = async move {
        match answered.await {
            Ok(forecast) => println!("the forecast: {forecast}"),
            Err(error) => println!("no forecast: {error}"),
        }
        match given_up.await {
            Ok(()) => println!("printed"),
            Err(error) => {
                let why = error.failure().map_or("", |it| it.message());
                println!("not printed: {error}: {why}");
            }
        }
    };
    let report = worker.run_until(both).await?;

    let (retried, held) = (report.retried, report.held);
    println!("{retried} retries, {held} held for a person");
    Ok(())
}
