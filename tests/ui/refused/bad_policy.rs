use pgqueuer::schedule;

#[schedule("0 * * * *", missed = "never")]
async fn missed() {}

#[schedule("0 * * * *", missed = "all up to 1001")]
async fn too_many() {}

#[schedule("0 * * * *", missed = "all", overlap = "skip")]
async fn both() {}

#[schedule("0 * * * *", overlap = "wait")]
async fn overlap() {}

#[schedule("0 * * * *", changes = true)]
async fn changes() {}

#[schedule("0 * * * *", missed)]
async fn nothing() {}

fn main() {}
