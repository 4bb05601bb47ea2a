//! The specification of pgqueuer, as one test binary.
//!
//! [`conformance`] says what a store and the runtime on top of it must do, and runs each
//! case on both stores. [`processes`] stops and kills real workers, [`faults`]
//! has faults of the database, [`cli`] runs the
//! commands, and [`ui`] has what the attributes refuse. [`backend`] makes a fresh queue for
//! each case, [`support`] has the helpers, which return data: assertions stay in the cases.

#![cfg(test)]

mod backend;
mod cli;
mod conformance;
#[cfg(unix)]
mod faults;
mod processes;
mod support;
mod ui;
