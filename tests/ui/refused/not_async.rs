use pgqueuer::job;

#[job]
fn send_welcome(user_id: i64) {
    let _ = user_id;
}

fn main() {
    // The function is still there, so this is not one more error.
    send_welcome(42);
}
