//! See `properties/payload.rs`.
#![no_main]

#[path = "properties/payload.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::check(input));
