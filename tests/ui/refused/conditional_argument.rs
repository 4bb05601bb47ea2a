use pgqueuer::job;

#[job]
async fn send_welcome(user_id: i64, #[cfg(any())] locale: String) {
    let _ = user_id;
}

#[job]
async fn send_later(#[cfg_attr(all(), serde(default))] user_id: i64) {
    let _ = user_id;
}

fn main() {}
