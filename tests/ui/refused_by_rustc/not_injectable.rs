use pgqueuer::job;

pub struct Mailer;

#[job]
async fn send_welcome(user_id: i64, #[inject] mailer: Mailer) {
    let _ = (user_id, mailer);
}

fn main() {}
