use pgqueuer::job;

#[job(priority = "5")]
async fn priority() {}

#[job(max_attempts = "many")]
async fn max_attempts() {}

#[job(priority = 1.5)]
async fn fraction() {}

#[job(max_attempts = 5u8)]
async fn suffix() {}

#[job(backoff(factor = "2", jitter = "10%"))]
async fn backoff() {}

fn main() {}
