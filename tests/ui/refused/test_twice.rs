#[pgqueuer::test]
#[test]
async fn twice(queue: pgqueuer::testing::TestQueue) {
    let _ = queue;
}

#[pgqueuer::test]
#[tokio::test]
async fn of_two_kinds(queue: pgqueuer::testing::TestQueue) {
    let _ = queue;
}

fn main() {}
