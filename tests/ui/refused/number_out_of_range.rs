use pgqueuer::job;

#[job(priority = 32768)]
async fn too_high() {}

#[job(priority = -32769)]
async fn too_low() {}

#[job(priority = 99999999999999999999)]
async fn far_too_high() {}

#[job(max_attempts = 0)]
async fn none() {}

#[job(max_attempts = -1)]
async fn negative() {}

#[job(max_attempts = 32768)]
async fn too_many() {}

fn main() {}
