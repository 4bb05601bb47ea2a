//! The names that are stored have no `r#`.

#![deny(warnings)]

use pgqueuer::{Job, job};

#[job]
async fn r#type(r#match: i64, r#fn: String) {
    let _ = (r#match, r#fn);
}

#[job(name = "loop", r#queue = "r#else")]
async fn r#loop(#[serde(rename = "r#in")] r#in: u8) {
    let _ = r#in;
}

fn main() {
    assert_eq!(Type::KIND, "type");
    assert_eq!(Type::ARGUMENTS.map_names(), ["match", "fn"]);
    assert_eq!(Loop::ARGUMENTS.map_names(), ["r#in"]);
    assert_eq!(Loop::OPTIONS.queue, "r#else");

    let payload = Type {
        r#match: 1,
        r#fn: "f".to_owned(),
    }
    .encode()
    .unwrap();
    pgqueuer::JobDescriptor::of::<Type>()
        .check(&payload)
        .unwrap();
}

trait Names {
    fn map_names(&self) -> Vec<&'static str>;
}

impl Names for [pgqueuer::Argument] {
    fn map_names(&self) -> Vec<&'static str> {
        self.iter().map(|it| it.name).collect()
    }
}
