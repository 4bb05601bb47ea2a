use pgqueuer::job;

#[job]
async fn count(user_id: i64) -> i64 {
    user_id
}

#[job]
async fn fail() -> Result<(), i64> {
    Err(5)
}

fn main() {}
