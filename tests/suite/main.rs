//! The specification of pgqueuer, as one test binary.
//!
//! [`conformance`] says what a store and the runtime on top of it must do, and runs each
//! case on both stores; [`model`] compares the two step by step. [`processes`] stops and kills
//! real workers, `short_runs` does so at random (for lost jobs, limits and slots), `crash` crashes the
//! server, `faults` has its other faults, [`clocks`] has those that are wrong, [`cli`] runs the
//! commands, [`logs`] has what workers say, [`any_call`] calls the SQL function with whatever there is,
//! [`metrics`] has what is exposed, and [`scrape`] reads it,
//! [`seeds`] tries what the fuzzers begin with, [`testing`] has the kit for testing, and [`ui`] has what the attributes refuse.
//! [`backend`] makes a fresh queue for each case, [`support`] has the helpers, which return data:
//! assertions stay in the cases.

#![cfg(test)]

mod any_call;
mod backend;
mod cli;
mod clocks;
mod conformance;
#[cfg(unix)]
mod crash;
#[cfg(unix)]
mod faults;
mod logs;
mod metrics;
mod model;
mod processes;
mod scrape;
mod seeds;
#[cfg(unix)]
mod short_runs;
mod slow_hooks;
mod support;
mod testing;
mod ui;
