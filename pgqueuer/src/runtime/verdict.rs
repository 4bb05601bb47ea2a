//! What becomes of a job when an attempt has ended.

use std::time::Duration;

use tracing::{debug, info, warn};

use super::{panics, settler::Settled};
use crate::{
    options::OnFailure,
    outcome::Outcome,
    registry::JobDescriptor,
    store::{Attempted, ClaimedJob, Disposition, Ending, Failure, FailureReason},
    telemetry,
};

/// The longest wait that a handler can ask for: any store can add it to the time.
const LONGEST_WAIT: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// How long a job waits for which there was no transaction, or whose worker cannot renew its lease.
/// A guess: long enough not to spin.
const A_MOMENT: Duration = Duration::from_secs(1);

/// The longest message and the longest backtrace that are kept, in bytes.
const MAX_MESSAGE_BYTES: usize = 8 * 1024;
const MAX_BACKTRACE_BYTES: usize = 16 * 1024;

/// How an attempt ended, before it is decided what that means for the job.
pub(super) enum End {
    Outcome(Outcome),
    Undecodable(String),
    /// The handler was not called: there was no transaction for it.
    NotBegun(String),
    Panicked(panics::Caught),
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
        }
    }

    /// Judges by the options of the kind.
    pub(super) fn of(descriptor: &JobDescriptor, job: &ClaimedJob, end: End) -> Self {
        judge(descriptor, job, end)
    }
}

fn judge(descriptor: &JobDescriptor, job: &ClaimedJob, end: End) -> Verdict {
    let options = &descriptor.options;
    let span = tracing::Span::current();
    let backoff = options.backoff.delay(job.attempt);
    let (reason, message, backtrace, wait) = match end {
        End::Outcome(outcome) => {
            telemetry::record_outcome(&span, &outcome);
            match outcome {
                Outcome::Completed => {
                    debug!("completed");
                    return ended(Settled::Completed, Ending::Completed, options.retain, None);
                }
                Outcome::Cancelled(message) => {
                    debug!(reason = message, "cancelled");
                    let failure = failure(job, FailureReason::Error, &message, None);
                    let retain = options.retain;
                    return ended(Settled::Cancelled, Ending::Cancelled, retain, Some(failure));
                }
                Outcome::Snoozed(after) => {
                    debug!(?after, "snoozed");
                    return Verdict {
                        settled: Settled::Snoozed,
                        disposition: Disposition::Again {
                            after: after.min(LONGEST_WAIT),
                            attempted: Attempted::GivenBack,
                        },
                        failure: None,
                    };
                }
                Outcome::Held(message) => {
                    warn!(error = message, "held");
                    return held(failure(job, FailureReason::Error, &message, None));
                }
                Outcome::Failed(message) => (FailureReason::Error, message, None, backoff),
                Outcome::Retry(after, message) => (FailureReason::Error, message, None, after),
            }
        }
        End::Cancelled(message) => {
            info!(reason = message, "cancelled");
            let failure = failure(job, FailureReason::Cancelled, &message, None);
            let retain = options.retain;
            return ended(Settled::Cancelled, Ending::Cancelled, retain, Some(failure));
        }
        End::CutOff => {
            debug!("cut off; giving the job back");
            return Verdict::give_back();
        }
        End::Unsure => {
            warn!("cut off, since the lease may be lost; giving the job back");
            return Verdict {
                disposition: Disposition::Again {
                    after: A_MOMENT,
                    attempted: Attempted::GivenBack,
                },
                ..Verdict::give_back()
            };
        }
        End::NotBegun(message) => {
            warn!(
                error = message,
                "no transaction for the handler; giving the job back"
            );
            return Verdict {
                disposition: Disposition::Again {
                    after: A_MOMENT,
                    attempted: Attempted::GivenBack,
                },
                ..Verdict::give_back()
            };
        }
        End::Undecodable(message) => {
            warn!(
                error = message,
                "the payload does not decode; holding the job"
            );
            return held(failure(job, FailureReason::Undecodable, &message, None));
        }
        End::Panicked(panic) => (
            FailureReason::Panic,
            panic.message,
            panic.backtrace,
            backoff,
        ),
        End::TimedOut => {
            let timeout = options.timeout.unwrap_or_default();
            let message = format!("took longer than its timeout of {timeout:?}");
            (FailureReason::Timeout, message, None, backoff)
        }
    };

    let failure = failure(job, reason, &message, backtrace);
    if job.attempt < options.max_attempts {
        warn!(error = message, retry_in = ?wait, "failed");
        return Verdict {
            settled: Settled::Retried,
            disposition: Disposition::Again {
                after: wait.min(LONGEST_WAIT),
                attempted: Attempted::Counts,
            },
            failure: Some(failure),
        };
    }
    match options.on_failure {
        OnFailure::Hold => {
            warn!(error = message, "failed for the last time; holding the job");
            held(failure)
        }
        OnFailure::Discard => {
            warn!(
                error = message,
                "failed for the last time; discarding the job"
            );
            ended(
                Settled::Discarded,
                Ending::Discarded,
                options.retain,
                Some(failure),
            )
        }
    }
}

fn ended(settled: Settled, ending: Ending, retain: Duration, failure: Option<Failure>) -> Verdict {
    Verdict {
        settled,
        disposition: Disposition::End { ending, retain },
        failure,
    }
}

fn held(failure: Failure) -> Verdict {
    Verdict {
        settled: Settled::Held,
        disposition: Disposition::Hold,
        failure: Some(failure),
    }
}

fn failure(
    job: &ClaimedJob,
    reason: FailureReason,
    message: &str,
    backtrace: Option<String>,
) -> Failure {
    Failure {
        attempt: job.attempt,
        failed_at: None,
        reason,
        message: storable(message, MAX_MESSAGE_BYTES),
        backtrace: backtrace.map(|it| storable(&it, MAX_BACKTRACE_BYTES)),
    }
}

/// Text that any database can store: not too long, and without NUL, which PostgreSQL has no
/// room for in `text` or `jsonb`.
fn storable(text: &str, max_bytes: usize) -> String {
    let end = text.floor_char_boundary(max_bytes);
    let mut kept = text[..end].replace('\0', "\u{fffd}");
    if end < text.len() {
        kept.push('…');
    }
    kept
}
