use pgqueuer::job;

#[job]
async fn skipped(#[serde(skip)] value: u8) {
    let _ = value;
}

#[job]
async fn flattened(#[serde(default, flatten)] value: u8) {
    let _ = value;
}

#[job]
async fn with(#[serde(with = "my_module")] value: u8) {
    let _ = value;
}

#[job]
async fn one_way(#[serde(rename(serialize = "a"))] value: u8) {
    let _ = value;
}

#[job]
async fn no_name(#[serde(rename = "")] value: u8) {
    let _ = value;
}

fn main() {}
