use pgqueuer::job;

struct Mailer;

impl Mailer {
    #[job]
    async fn send_welcome(&self, user_id: i64) {
        let _ = user_id;
    }
}

fn main() {}
