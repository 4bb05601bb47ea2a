use pgqueuer::job;

#[job("send_welcome")]
async fn named() {}

#[job("0 * * * *", queue = "mail")]
async fn scheduled() {}

fn main() {}
