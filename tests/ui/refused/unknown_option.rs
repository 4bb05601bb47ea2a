use pgqueuer::{job, schedule};

#[job(concurrency = 5)]
async fn limited() {}

#[job(unique)]
async fn unique() {}

#[job(rate(limit = "100/s", by = customer))]
async fn rated() {}

#[schedule("0 * * * *", anchor = "noon")]
async fn hourly() {}

#[job(every = "30s")]
async fn not_a_schedule() {}

#[job(backoff(initial = "5s"))]
async fn patient() {}

fn main() {}
