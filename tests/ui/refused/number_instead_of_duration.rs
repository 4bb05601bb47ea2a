use pgqueuer::{job, schedule};

#[job(timeout = 30)]
async fn timeout() {}

#[job(retain = 7days)]
async fn retain() {}

#[job(backoff = 10)]
async fn backoff() {}

#[job(backoff(base = 5, max = 1.5))]
async fn growing() {}

#[schedule(every = 30)]
async fn every() {}

fn main() {}
