//! Whatever names the user's module has, the generated code means its own.

#![deny(warnings)]
#![allow(dead_code, reason = "the names are there to be in the way")]

use pgqueuer::job;

mod std {}
mod core {}
mod serde {}

struct Result;
struct Option;
struct Vec;
struct String;
struct Box;
struct Duration;
trait Send {}
trait Clone {}
trait Default {}
trait From {}

#[allow(non_upper_case_globals, reason = "in the way")]
const context: u8 = 1;
#[allow(non_upper_case_globals, reason = "in the way")]
static __pgqueuer: u8 = 2;

#[allow(unused_macros, reason = "in the way")]
macro_rules! vec {
    () => {
        compile_error!("not this one")
    };
}
#[allow(unused_macros, reason = "in the way")]
macro_rules! line {
    () => {
        compile_error!("not this one")
    };
}
#[allow(unused_imports, reason = "in the way")]
use {line as file, vec as concat};

type Texts = ::std::vec::Vec<::std::string::String>;

#[job(queue = "mail", timeout = "30s", aliases = ["old"], backoff(base = "1s"))]
async fn send_welcome(
    job: i64,
    #[serde(default)] self_: Texts,
    bytes: ::std::option::Option<u8>,
    pool: pgqueuer::State<u8>,
    __pgqueuer_0: u8,
    send_welcome: i64,
    result: u8,
    #[inject] state: &pgqueuer::Context,
) -> ::std::result::Result<(), ::std::string::String> {
    let _ = (
        job,
        self_,
        bytes,
        pool,
        __pgqueuer_0,
        send_welcome,
        result,
        state,
    );
    Ok(())
}

#[pgqueuer::schedule("0 * * * *", tz = "Europe/Oslo")]
async fn cleanup(pool: pgqueuer::State<u8>) {
    drop(pool);
}

#[pgqueuer::schedule(every = "30s")]
async fn tick() {}

fn main() {}
