use pgqueuer::job;

#[job]
async fn other(#[codec(bincode)] value: u8) {
    let _ = value;
}

#[job]
async fn equals(#[codec = "json"] value: u8) {
    let _ = value;
}

#[job]
async fn bare(#[codec] value: u8) {
    let _ = value;
}

fn main() {}
