use pgqueuer::job;

#[job]
async fn send_welcome(locale: &str) {
    let _ = locale;
}

#[job]
async fn send_static(locale: &'static str) {
    let _ = locale;
}

#[job]
async fn send_maybe(locale: Option<&'static str>) {
    let _ = locale;
}

fn main() {}
