use pgqueuer::job;

#[job(queue = "mail" priority = 5, timeout = "30")]
async fn send_welcome() {}

fn main() {}
