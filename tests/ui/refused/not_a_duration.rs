use pgqueuer::{job, schedule};

#[job(timeout = "30")]
async fn without_unit() {}

#[job(timeout = "soon")]
async fn word() {}

#[job(retain = "")]
async fn empty() {}

#[job(backoff(base = "-5s"))]
async fn negative() {}

#[schedule(every = "30 parsecs")]
async fn unit() {}

fn main() {}
