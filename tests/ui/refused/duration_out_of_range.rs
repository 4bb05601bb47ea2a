use pgqueuer::job;

#[job(timeout = "0s")]
async fn no_time() {}

#[job(timeout = "999us")]
async fn too_short() {}

#[job(retain = "101years")]
async fn too_long() {}

#[job(backoff = "101d")]
async fn too_patient() {}

fn main() {}
