use pgqueuer::job;

#[job]
async fn send_welcome(user_id: i64) {
    let name = std::rc::Rc::new(user_id);
    std::future::ready(()).await;
    drop(name);
}

fn main() {}
