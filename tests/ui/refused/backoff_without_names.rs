use pgqueuer::job;

#[job(backoff("5s"))]
async fn positional() {}

#[job(backoff())]
async fn empty() {}

fn main() {}
