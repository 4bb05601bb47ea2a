use pgqueuer::job;

#[job]
async fn draw((x, y): (i32, i32)) {
    let _ = (x, y);
}

#[job]
async fn ignore(_: Vec<u8>) {}

#[job]
async fn bind(all @ 0..: u32) {
    let _ = all;
}

fn main() {}
