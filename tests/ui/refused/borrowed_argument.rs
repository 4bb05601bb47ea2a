use pgqueuer::job;
use std::{borrow::Cow, path::Path};

#[job]
async fn read(path: &Path) {
    let _ = path;
}

#[job]
async fn store(bytes: &[u8]) {
    let _ = bytes;
}

#[job]
async fn change(numbers: &mut Vec<i32>) {
    let _ = numbers;
}

#[job]
async fn nested(names: Vec<(i32, &String)>) {
    let _ = names;
}

#[job]
async fn maybe_borrowed(name: Cow<'_, str>) {
    let _ = name;
}

fn main() {}
