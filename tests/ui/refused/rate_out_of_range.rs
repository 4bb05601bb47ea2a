use pgqueuer::job;

#[job(rate = "0/s")]
async fn never() {}

#[job(rate = "100")]
async fn in_what_time() {}

#[job(rate = "100/fortnight")]
async fn in_a_strange_time() {}

#[job(rate = 100)]
async fn not_a_text() {}

#[job(rate = "2000000/s")]
async fn too_many() {}

#[job(rate = "1/0s")]
async fn in_no_time() {}

#[job(rate = "1/s burst 0")]
async fn no_burst() {}

fn main() {}
