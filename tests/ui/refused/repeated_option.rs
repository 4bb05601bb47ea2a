use pgqueuer::job;

#[job(queue = "mail", priority = 1, queue = "post")]
async fn send_welcome() {}

#[job(backoff(factor = 2, factor = 3))]
async fn patient() {}

fn main() {}
