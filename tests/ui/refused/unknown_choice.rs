use pgqueuer::job;

#[job(on_failure = "drop")]
async fn on_failure() {}

#[job(codec = "bincode")]
async fn codec() {}

fn main() {}
