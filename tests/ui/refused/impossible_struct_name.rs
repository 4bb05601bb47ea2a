use pgqueuer::job;

#[job]
async fn self_() {}

#[job]
async fn __() {}

#[job]
async fn _1st() {}

fn main() {}
