//! What becomes of a job when an attempt has ended.

use std::{
    panic::{self, AssertUnwindSafe},
    time::Duration,
};

use tracing::warn;

use super::settler::Settled;
use crate::{
    options::{JobOptions, OnFailure},
    outcome::{Cause, Outcome, Returned},
    retry::RetryStrategy,
    store::{Attempted, ClaimedJob, Disposition, Ending, Failure, FailureReason},
    telemetry::AttemptEnd,
};

/// The longest wait that a handler can ask for: any store can add it to the time.
const LONGEST_WAIT: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// How long a job waits for which there was no transaction, or whose worker cannot renew its lease.
/// A guess: long enough not to spin.
const A_MOMENT: Duration = Duration::from_secs(1);

/// How an attempt ended, before it is decided what that means for the job.
pub(super) enum End {
    Outcome(Outcome),
    /// The handler was not called: there was no transaction for it.
    NotBegun(String),
    TimedOut,
    /// Somebody has decided that it should not run.
    Cancelled(String),
    /// The worker may lose the job soon, and it is one that a limit counts.
    Unsure,
    /// The worker stops, or has lost the job.
    CutOff,
}

/// What an end means for the job.
pub(super) struct Verdict {
    pub(super) settled: Settled,
    pub(super) disposition: Disposition,
    pub(super) failure: Option<Failure>,
    pub(super) result: Option<String>,
}

impl Verdict {
    /// It runs again at once, and the attempt did not happen.
    pub(super) fn give_back() -> Self {
        Self {
            settled: Settled::GivenBack,
            disposition: Disposition::Again {
                after: Duration::ZERO,
                attempted: Attempted::GivenBack,
            },
            failure: None,
            result: None,
        }
    }

    /// What there is to say of it.
    pub(super) fn as_end(&self, ran: Duration) -> AttemptEnd<'_> {
        let again_in = match self.disposition {
            Disposition::Again { after, .. } => after,
            Disposition::End { .. } | Disposition::Hold => Duration::ZERO,
        };
        AttemptEnd {
            settled: self.settled,
            failure: self.failure.as_ref(),
            again_in,
            ran,
        }
    }

    /// Judges by the options of the kind, and by its strategy, if it has one.
    pub(super) fn of(
        options: &JobOptions,
        strategy: Option<&dyn RetryStrategy>,
        job: &ClaimedJob,
        end: End,
    ) -> Self {
        judge(options, strategy, job, end)
    }
}

fn judge(
    options: &JobOptions,
    strategy: Option<&dyn RetryStrategy>,
    job: &ClaimedJob,
    end: End,
) -> Verdict {
    let is_last = job.attempt >= options.max_attempts;
    let (cause, asked_for) = match end {
        End::Outcome(outcome) => match outcome {
            Outcome::Completed(returned) => return completed(options, job, returned),
            Outcome::Cancelled(cause) => {
                return cancelled(options, job, cause);
            }
            Outcome::Snoozed(after) => {
                return Verdict {
                    settled: Settled::Snoozed,
                    ..again(after.min(LONGEST_WAIT))
                };
            }
            Outcome::Held(cause) => {
                return held(cause.into_failure(job.attempt));
            }
            Outcome::Failed(cause) => (cause, None),
            Outcome::Retry(after, cause) => (cause, Some(after)),
        },
        End::Cancelled(message) => {
            let cause = Cause::of_reason(FailureReason::Cancelled, message);
            return cancelled(options, job, cause);
        }
        End::CutOff => {
            return Verdict::give_back();
        }
        End::Unsure => {
            warn!(
                job.kind,
                job.id = %job.key.id,
                "cut off, since the lease may be lost; giving the job back"
            );
            return again(A_MOMENT);
        }
        End::NotBegun(message) => {
            warn!(
                job.kind,
                job.id = %job.key.id,
                error = message,
                "no transaction for the handler; giving the job back"
            );
            return again(A_MOMENT);
        }
        End::TimedOut => {
            let timeout = options.timeout.unwrap_or_default();
            (Cause::timeout(timeout), None)
        }
    };
    let wait = match asked_for {
        _ if is_last => None,
        Some(wait) => Some(wait),
        None => wait(options, strategy, &cause, job.attempt),
    };
    failed(options, job, cause, wait)
}

/// How long a job waits until it is tried again; `None` if it is not.
fn wait(
    options: &JobOptions,
    strategy: Option<&dyn RetryStrategy>,
    cause: &Cause,
    attempt: u16,
) -> Option<Duration> {
    let backoff = || options.backoff.delay(attempt);
    let Some(strategy) = strategy else {
        return Some(backoff());
    };
    // It is the user's, and nothing of ours is in it that a panic could leave half done.
    let asked = panic::catch_unwind(AssertUnwindSafe(|| strategy.wait(cause, attempt)));
    asked.unwrap_or_else(|_| {
        warn!("the strategy for retries panicked; the backoff of the kind counts");
        Some(backoff())
    })
}

fn completed(options: &JobOptions, job: &ClaimedJob, returned: Returned) -> Verdict {
    let (result, problem) = returned.into_parts();
    let failure = problem.map(|problem| {
        let cause = Cause::of_reason(FailureReason::Unwritable, problem);
        cause.into_failure(job.attempt)
    });
    Verdict {
        result,
        ..ended(options, Settled::Completed, Ending::Completed, failure)
    }
}

fn cancelled(options: &JobOptions, job: &ClaimedJob, cause: Cause) -> Verdict {
    let failure = cause.into_failure(job.attempt);
    ended(
        options,
        Settled::Cancelled,
        Ending::Cancelled,
        Some(failure),
    )
}

fn failed(options: &JobOptions, job: &ClaimedJob, cause: Cause, wait: Option<Duration>) -> Verdict {
    let failure = cause.into_failure(job.attempt);
    if let Some(wait) = wait {
        return Verdict {
            settled: Settled::Retried,
            disposition: Disposition::Again {
                after: wait.min(LONGEST_WAIT),
                attempted: Attempted::Counts,
            },
            failure: Some(failure),
            result: None,
        };
    }
    match options.on_failure {
        OnFailure::Hold => held(failure),
        OnFailure::Discard => ended(
            options,
            Settled::Discarded,
            Ending::Discarded,
            Some(failure),
        ),
    }
}

/// It runs again after a while, and the attempt did not happen.
fn again(after: Duration) -> Verdict {
    Verdict {
        disposition: Disposition::Again {
            after,
            attempted: Attempted::GivenBack,
        },
        ..Verdict::give_back()
    }
}

fn ended(
    options: &JobOptions,
    settled: Settled,
    ending: Ending,
    failure: Option<Failure>,
) -> Verdict {
    let retain = options.retain;
    Verdict {
        settled,
        disposition: Disposition::End { ending, retain },
        failure,
        result: None,
    }
}

fn held(failure: Failure) -> Verdict {
    Verdict {
        settled: Settled::Held,
        disposition: Disposition::Hold,
        failure: Some(failure),
        result: None,
    }
}
