//! Strategies: whether to try again after a failure, and when.

use std::{sync::Arc, time::Duration};

use crate::{backoff::Backoff, outcome::Cause};

/// Decides whether a job is tried again after an attempt failed, and how long it waits.
///
/// What `#[job(retry = …)]` takes: any expression of a type that implements this. It is made once for each
/// worker. These are there:
///
/// - [`Backoff`]: a wait that is fixed, or grows, with jitter.
/// - A list of waits (`[Duration; N]`, `Vec<Duration>`); after its end the last one is repeated. In
///   the attribute, `backoff = ["1s", "10s", "1m"]` is such a list.
/// - A function of the failure and the attempt:
///
/// ```
/// use std::time::Duration;
/// use pgqueuer::{Cause, FailureReason, prelude::*};
///
/// /// Gives up at once after a panic; else waits a second longer each time.
/// fn unless_it_panicked(cause: &Cause, attempt: u16) -> Option<Duration> {
///     let is_a_panic = cause.reason() == FailureReason::Panic;
///     (!is_a_panic).then(|| Duration::from_secs(attempt.into()))
/// }
///
/// #[job(retry = unless_it_panicked, max_attempts = 10)]
/// async fn fetch(url: String) -> Result<(), String> {
///     # let _ = url;
///     Ok(())
/// }
/// ```
///
/// It is asked after each failure that is not the last: after errors, panics and timeouts. It is not asked when
/// the handler said for itself what is to be done ([`Retry`](crate::Retry),
/// [`Hold`](crate::Hold), …), nor after a crash of the worker, after which jobs run again at once.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a strategy for retries",
    label = "neither a `RetryStrategy`, nor a function from `&Cause` and `u16` to `Option<Duration>`",
    note = "a closure needs the types of its parameters: `|cause: &Cause, attempt: u16| …`"
)]
pub trait RetryStrategy: Send + Sync + 'static {
    /// How long to wait after this failure of attempt number `attempt`, which counts from 1. At most
    /// 100 years: longer waits are that long.
    ///
    /// `None`: the job is not tried again, and becomes what jobs of its kind become whose last
    /// attempt failed, held or discarded.
    ///
    /// If it panics, the [backoff](crate::JobOptions::backoff) of the kind counts.
    fn wait(&self, cause: &Cause, attempt: u16) -> Option<Duration>;

    /// Checks the strategy when a worker is built. Default: nothing is wrong.
    ///
    /// # Errors
    ///
    /// What is wrong with it. The worker is not built.
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }
}

impl RetryStrategy for Backoff {
    fn wait(&self, _: &Cause, attempt: u16) -> Option<Duration> {
        Some(self.delay(attempt))
    }

    fn validate(&self) -> Result<(), String> {
        self.validate()
    }
}

impl<const N: usize> RetryStrategy for [Duration; N] {
    fn wait(&self, _: &Cause, attempt: u16) -> Option<Duration> {
        const { assert!(N > 0, "a list of waits has at least one") };
        nth(self, attempt)
    }
}

impl RetryStrategy for Vec<Duration> {
    fn wait(&self, _: &Cause, attempt: u16) -> Option<Duration> {
        nth(self, attempt)
    }

    fn validate(&self) -> Result<(), String> {
        match self.is_empty() {
            true => Err("the list of waits is empty; at least one is needed".to_owned()),
            false => Ok(()),
        }
    }
}

fn nth(waits: &[Duration], attempt: u16) -> Option<Duration> {
    let index = usize::from(attempt.saturating_sub(1));
    waits.get(index).or(waits.last()).copied()
}

#[diagnostic::do_not_recommend]
impl<F> RetryStrategy for F
where
    F: Fn(&Cause, u16) -> Option<Duration> + Send + Sync + 'static,
{
    fn wait(&self, cause: &Cause, attempt: u16) -> Option<Duration> {
        self(cause, attempt)
    }
}

/// One that others have, too.
#[diagnostic::do_not_recommend]
impl<R: RetryStrategy + ?Sized> RetryStrategy for Arc<R> {
    fn wait(&self, cause: &Cause, attempt: u16) -> Option<Duration> {
        (**self).wait(cause, attempt)
    }

    fn validate(&self) -> Result<(), String> {
        (**self).validate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_wait_of_a_list_is_repeated() {
        let waits = [1, 10, 60].map(Duration::from_secs);
        let of = |attempt| waits.wait(&Cause::new(""), attempt).unwrap().as_secs();
        assert_eq!([1, 2, 3, 4, 30_000].map(of), [1, 10, 60, 60, 60]);
    }

    #[test]
    fn a_list_without_waits_is_refused() {
        let problem = RetryStrategy::validate(&Vec::<Duration>::new()).unwrap_err();
        assert_eq!(
            problem,
            "the list of waits is empty; at least one is needed"
        );
        assert_eq!(RetryStrategy::validate(&vec![Duration::ZERO]), Ok(()));
    }
}
