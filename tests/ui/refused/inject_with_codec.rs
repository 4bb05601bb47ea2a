use pgqueuer::{State, job};

#[job]
async fn marked(#[inject] #[codec(json)] pool: State<String>) {
    let _ = pool;
}

#[job]
async fn recognized(#[serde(default)] pool: State<String>) {
    let _ = pool;
}

#[job]
async fn valued(#[inject(pool)] pool: State<String>) {
    let _ = pool;
}

fn main() {}
