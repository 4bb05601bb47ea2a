use pgqueuer::job;

#[job]
async fn add(a: i64) -> Result<impl Into<i64>, std::io::Error> {
    Ok(a)
}

fn main() {}
