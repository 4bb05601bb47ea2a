use pgqueuer::schedule;

#[schedule]
async fn bare() {}

#[schedule()]
async fn empty() {}

#[schedule(queue = "mail")]
async fn only_options() {}

#[schedule(tz = "Europe/Oslo")]
async fn only_a_zone() {}

fn main() {}
