//! The job that is measured. Written by hand, so that it is in no program's registry.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use pgqueuer::{Context, HandlerFuture, Inject, Job, JobOptions, Outcome, Requirement, State};
use serde::{Deserialize, Serialize};

/// What the probes of one run write on.
pub(super) struct Board {
    origin: Instant,
    done: AtomicU64,
    /// From the call that enqueues to the first line of the handler, in nanoseconds.
    pickups: Mutex<Histogram<u64>>,
}

impl Board {
    const LONGEST: Duration = Duration::from_secs(3600);

    pub(super) fn new() -> Self {
        let longest = u64::try_from(Self::LONGEST.as_nanos()).unwrap_or(u64::MAX);
        let pickups = Histogram::new_with_bounds(1000, longest, 3);
        Self {
            origin: Instant::now(),
            done: AtomicU64::new(0),
            pickups: Mutex::new(pickups.expect("the bounds are in order")),
        }
    }

    /// How many probes were run.
    pub(super) fn done(&self) -> u64 {
        self.done.load(Relaxed)
    }

    pub(super) fn pickups(&self) -> Histogram<u64> {
        let pickups = self.pickups.lock();
        pickups.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The time now, as a probe carries it.
    pub(super) fn stamp(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn note(&self, sent: Option<u64>) {
        if let Some(sent) = sent {
            let pickup = self.stamp().saturating_sub(sent);
            let pickups = self.pickups.lock();
            pickups
                .unwrap_or_else(PoisonError::into_inner)
                .saturating_record(pickup);
        }
        self.done.fetch_add(1, Relaxed);
    }
}

/// A job that does nothing but say that it ran.
#[derive(Serialize, Deserialize)]
pub(super) struct Probe<const RECORDED: bool> {
    /// When it was enqueued, if somebody wants to know how long it took.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    sent: Option<u64>,
    padding: String,
}

impl<const RECORDED: bool> Probe<RECORDED> {
    /// A probe of about so many bytes.
    pub(super) fn new(size: u32, sent: Option<u64>) -> Self {
        const EMPTY: usize = r#"{"padding":""}"#.len();
        let padding = "x".repeat((size as usize).saturating_sub(EMPTY));
        Self { sent, padding }
    }
}

impl<const RECORDED: bool> Job for Probe<RECORDED> {
    type Output = ();

    const KIND: &'static str = if RECORDED {
        "probe"
    } else {
        "unrecorded_probe"
    };
    const OPTIONS: JobOptions = JobOptions {
        retain: if RECORDED {
            JobOptions::DEFAULT.retain
        } else {
            Duration::ZERO
        },
        ..JobOptions::DEFAULT
    };

    fn requirements() -> Vec<Requirement> {
        State::<Arc<Board>>::requirements()
    }

    fn run(self, context: Context) -> pgqueuer::Result<HandlerFuture> {
        let board = State::<Arc<Board>>::inject(&context)?;
        Ok(Box::pin(async move {
            board.note(self.sent);
            Outcome::done()
        }))
    }
}
