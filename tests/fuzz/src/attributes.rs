//! Whatever is written into `#[job(…)]` and `#[schedule(…)]`, and whatever function is below, the
//! macro answers with code or with errors, and does not panic.
#![no_main]
#![allow(dead_code, reason = "the entry points of the macro are not called from here")]

use libfuzzer_sys::fuzz_target;
use proc_macro2::TokenStream;

// A macro crate cannot be linked, but its modules work on any tokens.
#[path = "../../../pgqueuer-macros/src"]
mod macros {
    pub(crate) mod attribute;
    pub(crate) mod cron;
    pub(crate) mod errors;
    pub(crate) mod job;
    pub(crate) mod schedule;
    pub(crate) mod values;
}
// Where they expect each other.
use macros::{attribute, cron, errors, job, schedule, values};

const FUNCTION: &str = "async fn send_mail(user_id: i64, mailer: State<Mailer>) -> Result<(), Error> {}";

fuzz_target!(|input: &str| {
    // The options, and the function if there is one.
    let (options, function) = input.split_once('\n').unwrap_or((input, FUNCTION));
    let parsed = (options.parse::<TokenStream>(), function.parse::<TokenStream>());
    let (Ok(options), Ok(function)) = parsed else {
        return;
    };
    // What the compiler would not hand to a macro may come back as it is.
    let is_function = syn::parse2::<syn::ItemFn>(function.clone()).is_ok();
    for attribute in [job::Attribute::Job, job::Attribute::Schedule] {
        let answer = job::transform(attribute, options.clone(), function.clone());
        // An answer without errors is code.
        if is_function && !answer.to_string().contains("compile_error") {
            syn::parse2::<syn::File>(answer).expect("it is code");
        }
    }
});

