use pgqueuer::testing::TestQueue;

#[pgqueuer::test(at = "2026-03-27 12:00")]
async fn without_a_zone(queue: TestQueue) {
    let _ = queue;
}

#[pgqueuer::test(at = "2026-02-30T12:00:00Z")]
async fn no_such_day(queue: TestQueue) {
    let _ = queue;
}

#[pgqueuer::test(at = 12)]
async fn not_a_text(queue: TestQueue) {
    let _ = queue;
}

#[pgqueuer::test(at)]
async fn nothing(queue: TestQueue) {
    let _ = queue;
}

fn main() {}
