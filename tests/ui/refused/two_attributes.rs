use pgqueuer::{job, schedule};

#[job(queue = "mail")]
#[job(max_attempts = 5)]
async fn send_welcome(user_id: i64) {
    let _ = user_id;
}

#[job(queue = "mail")]
#[pgqueuer::schedule(every = "1h")]
async fn digest() {}

#[schedule(every = "1h")]
#[pgqueuer::job(queue = "mail")]
async fn reminders() {}

#[schedule("0 8 * * *")]
#[schedule("0 20 * * *")]
async fn report() {}

fn main() {}
