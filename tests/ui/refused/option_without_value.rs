use pgqueuer::job;

#[job(queue)]
async fn queue() {}

#[job(priority = )]
async fn priority() {}

#[job(timeout =, retain)]
async fn durations() {}

#[job(aliases)]
async fn aliases() {}

#[job(backoff)]
async fn backoff() {}

#[job(backoff(factor))]
async fn factor() {}

fn main() {}
