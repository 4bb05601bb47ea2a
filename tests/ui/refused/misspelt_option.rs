use pgqueuer::{job, schedule};

#[job(qeue = "mail", max_attempt = 5, Timeout = "30s")]
async fn send_welcome() {}

#[schedule("0 * * * *", tzz = "Europe/Oslo")]
async fn hourly() {}

#[job(backoff(jiter = 0.1))]
async fn patient() {}

fn main() {}
