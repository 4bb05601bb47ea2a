//! See `properties/cron.rs`.
#![no_main]

#[path = "../../../pgqueuer/src/cron.rs"]
mod expressions;
#[path = "properties/cron.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::check(input));
