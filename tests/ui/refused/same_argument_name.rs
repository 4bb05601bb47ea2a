use pgqueuer::job;

#[job]
async fn send(#[serde(rename = "to")] from: String, to: String) {
    drop((from, to));
}

#[job]
async fn receive(from: String, #[serde(alias = "from")] to: String) {
    drop((from, to));
}

fn main() {}
