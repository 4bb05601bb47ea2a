//! See `properties/attributes.rs`. Here, errors must also say where, which only this build can see
//! (`span-locations`).
#![no_main]
#![allow(
    dead_code,
    reason = "the entry points of the macro are not called from here"
)]

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
#[path = "properties/attributes.rs"]
mod properties;

// Where they expect each other.
use macros::{attribute, cron, errors, job, schedule, values};
use proc_macro2::{TokenStream, TokenTree};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    // Or all inputs are kept, for their spans.
    proc_macro2::extra::invalidate_current_thread_spans();
    properties::check(input)
        .into_iter()
        .for_each(errors_have_a_place);
});

/// An error is `::core::compile_error! { "…" }`, and shows where its text is.
fn errors_have_a_place(answer: TokenStream) {
    let mut tokens = answer.into_iter();
    while tokens.by_ref().any(|it| it.to_string() == "compile_error") {
        let (_, Some(TokenTree::Group(message))) = (tokens.next(), tokens.next()) else {
            return;
        };
        let text = message.stream().to_string();
        // What is missing is nowhere: the attribute itself is shown.
        let is_nowhere = message.span().start().line == 0;
        assert!(!is_nowhere || text.contains("needs a time"), "{text}");
    }
}
