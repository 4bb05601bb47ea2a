//! The attributes of pgqueuer.

mod attribute;
mod cron;
mod errors;
mod job;
mod schedule;
mod values;

use proc_macro::TokenStream;

use crate::job::Attribute;

/// Makes a job of an async function.
#[proc_macro_attribute]
pub fn job(options: TokenStream, item: TokenStream) -> TokenStream {
    job::transform(Attribute::Job, options.into(), item.into()).into()
}

/// Makes a job that is enqueued by itself.
#[proc_macro_attribute]
pub fn schedule(options: TokenStream, item: TokenStream) -> TokenStream {
    job::transform(Attribute::Schedule, options.into(), item.into()).into()
}
