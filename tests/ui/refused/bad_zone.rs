use pgqueuer::schedule;

#[schedule("0 * * * *", tz = "Oslo")]
async fn city() {}

#[schedule("0 * * * *", tz = "+02:00")]
async fn offset() {}

#[schedule("0 * * * *", tz)]
async fn missing() {}

#[schedule(every = "1h", tz = "Europe/Oslo")]
async fn interval() {}

fn main() {}
