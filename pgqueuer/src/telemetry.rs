//! Names of spans and fields. Dashboards depend on them: a change here is a breaking change
//! and goes into the changelog.

use tracing::{Span, field, info_span};

use crate::{outcome::Outcome, store::ClaimedJob};

/// The span of one attempt. Handlers run in it.
pub(crate) fn attempt_span(job: &ClaimedJob) -> Span {
    info_span!(
        "job.attempt",
        otel.kind = "consumer",
        otel.status_code = field::Empty,
        job.kind = %job.kind,
        job.id = %job.key.id,
        job.attempt = job.attempt,
        job.outcome = field::Empty,
    )
}

/// Records how the attempt ended on its span.
pub(crate) fn record_outcome(span: &Span, outcome: &Outcome) {
    span.record("job.outcome", outcome.name());
    let is_failure = matches!(
        outcome,
        Outcome::Failed(_) | Outcome::Retry(..) | Outcome::Held(_)
    );
    span.record("otel.status_code", if is_failure { "ERROR" } else { "OK" });
}
