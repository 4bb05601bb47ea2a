use pgqueuer::job;

struct Receipt;

#[job]
async fn charge() -> Result<Receipt, std::io::Error> {
    Ok(Receipt)
}

fn main() {}
