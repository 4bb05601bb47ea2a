//! What the fuzzers begin with (`tests/fuzz/seeds`), without a fuzzer: what they look at still
//! holds, and still compiles. The seeds for the attributes are tried where those are parsed.

#[path = "../../pgqueuer/src/cron.rs"]
mod expressions;

#[path = "../fuzz/src/properties/cron.rs"]
mod cron;

#[path = "../fuzz/src/properties/payload.rs"]
mod payload;

use std::fs;

#[test]
fn cron_expressions_are_refused_or_come_again() {
    each_seed("cron", cron::check);
}

#[test]
fn payloads_are_refused_or_come_back() {
    each_seed("payload", payload::check);
}

fn each_seed(target: &str, check: fn(&[u8])) {
    let folder = format!("{}/fuzz/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
    let seeds: Vec<_> = fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
    assert!(!seeds.is_empty());
    for seed in seeds {
        // Shown if it fails.
        println!("{}", seed.path().display());
        check(&fs::read(seed.path()).unwrap());
    }
}
