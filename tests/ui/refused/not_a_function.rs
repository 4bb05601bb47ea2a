use pgqueuer::{job, schedule};

#[job]
pub struct SendWelcome {
    user_id: i64,
}

#[job(queue = "mail")]
const LIMIT: usize = 5;

#[schedule(every = "30s")]
impl SendWelcome {}

#[job]
unsafe trait Mailer {}

fn main() {}
