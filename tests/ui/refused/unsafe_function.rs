use pgqueuer::job;

#[job]
async unsafe fn send_welcome(user_id: i64) {
    let _ = user_id;
}

fn main() {}
