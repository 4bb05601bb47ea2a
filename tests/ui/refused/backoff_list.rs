use pgqueuer::job;

#[job(backoff = [])]
async fn empty() {}

#[job(backoff = ["1s", 10])]
async fn number() {}

#[job(backoff = ["1s", "101d", "soon"])]
async fn too_long_and_no_duration() {}

fn main() {}
