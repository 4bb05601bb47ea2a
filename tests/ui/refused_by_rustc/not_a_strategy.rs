use pgqueuer::job;

#[job(retry = 5)]
async fn a_number() {}

fn main() {}
