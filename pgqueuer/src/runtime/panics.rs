//! Panics of handlers: caught, and kept with their backtrace.
//!
//! A panic that is caught has a message but no backtrace: only the panic hook can take one.
//! So the hook of the program is wrapped, once. Outside of handlers it does what it did.

use std::{
    any::Any,
    backtrace::Backtrace,
    cell::RefCell,
    future::Future,
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

use futures_util::FutureExt as _;

use crate::outcome::Cause;

/// A panic of a handler.
#[derive(Debug)]
pub(crate) struct Caught {
    pub(crate) message: String,
    pub(super) backtrace: Option<String>,
}

impl From<Caught> for Cause {
    fn from(caught: Caught) -> Self {
        Self::panic(caught.message, caught.backtrace)
    }
}

/// What the hook can tell: where, and the backtrace.
struct Trace {
    place: String,
    backtrace: String,
}

tokio::task_local! {
    static LAST_TRACE: RefCell<Option<Trace>>;
}

pub(super) fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // Fails outside of handlers, where there is nothing to keep.
            let _ = LAST_TRACE.try_with(|last| {
                let place = info.location().map(ToString::to_string).unwrap_or_default();
                let backtrace = Backtrace::force_capture().to_string();
                *last.borrow_mut() = Some(Trace { place, backtrace });
            });
            previous(info);
        }));
    });
}

/// Runs a future, and turns a panic in it into an error.
pub(crate) async fn catch<T>(work: impl Future<Output = T>) -> Result<T, Caught> {
    let scoped = async {
        // The future is not polled again after a panic, so nobody sees what it left behind.
        let result = AssertUnwindSafe(work).catch_unwind().await;
        result.map_err(|panic| {
            let trace = LAST_TRACE.with(RefCell::take);
            let message = message_of(&*panic);
            Caught {
                message: match &trace {
                    Some(trace) => format!("panicked at {}: {message}", trace.place),
                    None => format!("panicked: {message}"),
                },
                backtrace: trace.map(|it| it.backtrace),
            }
        })
    };
    LAST_TRACE.scope(RefCell::new(None), scoped).await
}

fn message_of(panic: &(dyn Any + Send)) -> &str {
    if let Some(message) = panic.downcast_ref::<&'static str>() {
        message
    } else if let Some(message) = panic.downcast_ref::<String>() {
        message
    } else {
        "without a message"
    }
}
