#[pgqueuer::test]
struct NotAFunction;

#[pgqueuer::test]
async unsafe extern "C" fn not_plain(queue: pgqueuer::testing::TestQueue) {
    let _ = queue;
}

struct Suite;

impl Suite {
    #[pgqueuer::test]
    async fn method(&self) {}
}

fn main() {}
