use pgqueuer::job;

#[job(backoff(factor = 0.5))]
async fn shrinking() {}

#[job(backoff(factor = 101))]
async fn exploding() {}

#[job(backoff(jitter = -0.1))]
async fn negative() {}

#[job(backoff(jitter = 2))]
async fn scattered() {}

#[job(backoff(base = "1s", max = "101d"))]
async fn endless() {}

fn main() {}
