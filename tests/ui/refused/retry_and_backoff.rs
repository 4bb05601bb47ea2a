use pgqueuer::job;

#[job(backoff = "10s", retry = [std::time::Duration::ZERO])]
async fn both() {}

#[job(retry = "10s")]
async fn text() {}

#[job(retry = ["1s", "10s"])]
async fn texts() {}

#[job(retry)]
async fn nothing() {}

fn main() {}
