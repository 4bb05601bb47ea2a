use pgqueuer::testing::TestQueue;

#[pgqueuer::test]
async fn without_a_queue() {}

#[pgqueuer::test]
async fn by_reference(queue: &TestQueue) {
    let _ = queue;
}

#[pgqueuer::test]
async fn with_more(queue: TestQueue, number: u32, text: String) {
    let _ = (queue, number, text);
}

#[pgqueuer::test]
async fn generic<T>(queue: TestQueue) {
    let _ = queue;
}

fn main() {}
