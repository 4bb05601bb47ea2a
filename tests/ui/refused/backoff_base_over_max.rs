use pgqueuer::job;

#[job(backoff(base = "10s", max = "5s"))]
async fn both() {}

#[job(backoff(base = "2h"))]
async fn default_max() {}

#[job(backoff(max = "1s"))]
async fn default_base() {}

fn main() {}
