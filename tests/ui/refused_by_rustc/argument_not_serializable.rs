use pgqueuer::job;

#[derive(Clone, Debug)]
pub struct User;

#[job]
async fn send_welcome(user: User) {
    drop(user);
}

fn main() {}
