use pgqueuer::{Job, job};

#[job]
async fn send_welcome(user_id: i64) {
    let _ = user_id;
}

fn main() {
    let _ = SendWelcome { user_id: 42 }.enqueue("postgres://localhost/app");
}
