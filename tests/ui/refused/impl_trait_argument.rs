use pgqueuer::job;

#[job]
async fn send_welcome(name: impl ToString) {
    drop(name);
}

#[job]
async fn send_all(names: Vec<impl ToString>) {
    drop(names);
}

fn main() {}
