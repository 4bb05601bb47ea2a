use pgqueuer::testing::TestQueue;

#[pgqueuer::test(postgre)]
async fn misspelt(queue: TestQueue) {
    let _ = queue;
}

#[pgqueuer::test(threads = 2)]
async fn unknown(queue: TestQueue) {
    let _ = queue;
}

#[pgqueuer::test("2026-03-27T12:00:00Z")]
async fn without_a_name(queue: TestQueue) {
    let _ = queue;
}

#[pgqueuer::test(postgres = true)]
async fn with_a_value(queue: TestQueue) {
    let _ = queue;
}

#[pgqueuer::test(postgres, at = "2026-03-27T12:00:00Z")]
async fn both(queue: TestQueue) {
    let _ = queue;
}

fn main() {}
