use pgqueuer::testing::TestQueue;

#[pgqueuer::test]
fn not_async(queue: TestQueue) {
    let _ = queue;
}

fn main() {}
