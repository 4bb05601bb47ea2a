use pgqueuer::job;

#[job(qeue = "mail", priority = "high", timeout = "30", retain = "200years", aliases = ["a", "a"])]
fn send_welcome<T>((a, b): (i32, i32), locale: &str, #[serde(skip)] value: u8) {
    let _ = (a, b, locale, value);
}

fn main() {}
