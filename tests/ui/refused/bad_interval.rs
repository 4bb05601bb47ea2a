use pgqueuer::schedule;

#[schedule(every = "500ms")]
async fn too_short() {}

#[schedule(every = "1s 500ms")]
async fn fraction() {}

#[schedule(every = "11years")]
async fn too_long() {}

#[schedule("0 * * * *", every = "1h")]
async fn both() {}

fn main() {}
