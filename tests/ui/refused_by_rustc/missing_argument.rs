use pgqueuer::job;

#[job]
async fn send_welcome(user_id: i64, locale: String) {
    let _ = (user_id, locale);
}

fn main() {
    let _ = SendWelcome { user_id: 42 };
}
