//! One line for each thing that happens to a job.

use std::time::Duration;

use tracing::{Span, debug, error, info, warn};

use super::{ATTEMPT, propagation, record_failure};
use crate::{
    runtime::Settled,
    store::{ClaimedJob, Crash, Failure, FailureReason, JobState},
};

/// How an attempt ended.
pub(crate) struct AttemptEnd<'a> {
    pub(crate) settled: Settled,
    pub(crate) failure: Option<&'a Failure>,
    /// How long until the job runs again, if it does.
    pub(crate) again_in: Duration,
    pub(crate) ran: Duration,
}

impl Settled {
    /// One word for spans and log lines: as the field of `Report` has it.
    fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Retried => "retried",
            Self::Held => "held",
            Self::Discarded => "discarded",
            Self::Cancelled => "cancelled",
            Self::Snoozed => "snoozed",
            Self::GivenBack => "given_back",
            Self::Lost => "lost",
        }
    }
}

/// Says how an attempt ended, and records it on the current span, if it is that of the attempt.
///
/// What needs a person is an error; what was not as it should be, a warning.
pub(crate) fn attempt_ended(job: &ClaimedJob, end: &AttemptEnd<'_>) {
    macro_rules! tell {
        ($level:ident, $message:literal $(, $name:ident = $value:expr)*) => {
            $level!(
                target: "pgqueuer::attempt",
                {
                    job.kind = job.kind,
                    job.id = %job.key.id,
                    job.attempt = i64::from(job.attempt),
                    job.outcome = end.settled.name(),
                    job.failure = end.failure.map(|it| it.reason.name()),
                    error = end.failure.map(error_of),
                    ran_ms = milliseconds(end.ran),
                    $($name = $value,)*
                },
                $message
            )
        };
    }

    let span = current_attempt();
    span.record("job.outcome", end.settled.name());
    let is_failed = matches!(
        end.settled,
        Settled::Retried | Settled::Held | Settled::Discarded
    );
    match end.failure {
        Some(failure) if is_failed => record_failure(&span, failure.reason.name()),
        _ => propagation::note_end(&span, false),
    }

    let by_somebody = end.failure.map(|it| it.reason) == Some(FailureReason::Cancelled);
    match end.settled {
        Settled::Completed if end.failure.is_some() => {
            tell!(warn, "completed, but its result is lost");
        }
        Settled::Completed => tell!(debug, "completed"),
        Settled::Retried => tell!(
            warn,
            "failed; it will be tried again",
            retry_in_ms = milliseconds(end.again_in)
        ),
        Settled::Held => tell!(error, "held, until a person decides"),
        Settled::Discarded => tell!(error, "failed for the last time; discarded"),
        Settled::Cancelled if by_somebody => tell!(info, "cancelled"),
        Settled::Cancelled => tell!(debug, "cancelled by its handler"),
        Settled::Snoozed => tell!(debug, "snoozed", retry_in_ms = milliseconds(end.again_in)),
        Settled::GivenBack => tell!(debug, "given back"),
        Settled::Lost => tell!(warn, "others have the job now; its result is dropped"),
    }
}

/// That of the worker is none: in it, jobs are given back that were not begun, and those of handlers that are
/// left out by a filter.
fn current_attempt() -> Span {
    let span = Span::current();
    let is_attempt = span.metadata().is_some_and(|it| it.name() == ATTEMPT);
    if is_attempt { span } else { Span::none() }
}

/// Says what became of a job that a dead worker has left behind.
pub(crate) fn rescued(crash: &Crash) {
    let Crash {
        id,
        kind,
        session,
        state,
    } = crash;
    if *state == JobState::Available {
        warn!(
            target: "pgqueuer::attempt",
            { job.kind = kind, job.id = %id, job.outcome = "rescued", %session },
            "rescued from a dead worker; it will be tried again"
        );
    } else {
        error!(
            target: "pgqueuer::attempt",
            { job.kind = kind, job.id = %id, job.outcome = %state, %session },
            "its worker died in its last attempt"
        );
    }
}

/// What went wrong; but why a payload does not decode tells of what is in it.
fn error_of(failure: &Failure) -> &str {
    match failure.reason {
        FailureReason::Undecodable => "its payload does not decode; `pgq jobs show` says why",
        _ => &failure.message,
    }
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
