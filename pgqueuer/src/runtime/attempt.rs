//! One attempt: decode, run, and say how it ended.

mod ending;

#[cfg(feature = "testing")]
pub(super) use ending::CANCEL_GRACE;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use tracing::{Instrument, warn};

use super::{
    LONGEST_CALL,
    ahead::Ahead,
    in_time,
    minutes::Measured,
    panics,
    progress::Said,
    session::Session,
    settler::{Settled, Settler},
    slots::Slot,
    verdict::{End, Verdict},
};
use crate::{
    context::{Context, Inner},
    error::Chain,
    executor::{Call, Executor, Handling},
    hook::{Event, Hooks},
    outcome::Outcome,
    registry::{JobDescriptor, Registry},
    resources::Resources,
    store::{ClaimedJob, Disposition, Settlement, Store, Work},
    telemetry::{self, AttemptEnd},
    tx::Home,
};

/// Starts attempts, and knows those that run.
#[derive(Clone, Debug)]
pub(super) struct Attempts {
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    resources: Arc<Resources>,
    settler: Settler,
    ahead: Ahead,
    hooks: Hooks,
    said: Said,
    running: TaskTracker,
    /// The grace period is over.
    cancel: CancellationToken,
    /// Not even the time to clean up is left.
    drop_now: CancellationToken,
}

impl Attempts {
    pub(super) fn new(
        store: Arc<dyn Store>,
        registry: Arc<Registry>,
        resources: Arc<Resources>,
        settler: Settler,
        ahead: Ahead,
        hooks: Hooks,
        said: Said,
    ) -> Self {
        Self {
            store,
            registry,
            resources,
            settler,
            ahead,
            hooks,
            said,
            running: TaskTracker::new(),
            cancel: CancellationToken::new(),
            drop_now: CancellationToken::new(),
        }
    }

    /// Drops the handlers when the guard is dropped.
    pub(super) fn cut_off_on_drop(&self) -> DropGuard {
        self.drop_now.clone().drop_guard()
    }

    /// How many are running, or waiting to be written down.
    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// Starts an attempt. When it is through, jobs that were claimed ahead follow in its slot.
    pub(super) fn start(&self, job: ClaimedJob, session: Session, slot: Slot) {
        let this = self.clone();
        self.running.spawn(async move {
            let mut next = Some((job, session));
            let mut slot = slot;
            while let Some((job, session)) = next {
                let span = telemetry::attempt_span(&job);
                this.run(job, session).instrument(span).await;
                this.ahead.note_finished();
                next = this.ahead.pop();
                slot = slot.unbound();
            }
        });
    }

    async fn run(&self, job: ClaimedJob, session: Session) {
        let Some(descriptor) = self.registry.get(&job.kind) else {
            // Not reached: only kinds of the registry are claimed.
            warn!(job.kind, job.id = %job.key.id, "no handler for this kind; giving the job back");
            self.settle(&job, session, Verdict::give_back(), Duration::ZERO)
                .await;
            return;
        };
        let began = Instant::now();
        let own = Own::default();
        let end = self.run_handler(descriptor, &job, &session, &own).await;
        let ran = began.elapsed();
        let own = own.into_inner().unwrap_or_else(PoisonError::into_inner);
        if session.lost.is_cancelled() {
            telemetry::attempt_ended(&job, &lost(ran));
            self.settler.count_lost();
            return;
        }
        let verdict = self.judge(descriptor, &job, end);
        let work = match (verdict.settled, own) {
            (Settled::Completed, Some(home)) => home.take(),
            (_, home) => {
                // Before the result: what the handler wrote is gone when the job runs again.
                drop(home.and_then(|it| it.take()));
                self.settle(&job, session, verdict, ran).await;
                return;
            }
        };
        let completed = self.complete(&job, &session, &verdict, work).await;
        match completed {
            Ok(true) => {
                telemetry::attempt_ended(&job, &verdict.as_end(ran));
                let measured = measured(&job, ran);
                self.settler
                    .completed_elsewhere(&session, job.key, &measured, job.is_limited);
            }
            Ok(false) => {
                // What its handler wrote was rolled back.
                telemetry::attempt_ended(&job, &lost(ran));
                self.settler.lost(&session, job.key);
            }
            // If the commit went through after all, nobody finds the job, and this is refused.
            Err(message) => {
                let end = End::Outcome(Outcome::Failed(message.into()));
                let verdict = self.judge(descriptor, &job, end);
                self.settle(&job, session, verdict, ran).await;
            }
        }
    }

    fn judge(&self, descriptor: &JobDescriptor, job: &ClaimedJob, end: End) -> Verdict {
        let strategy = self.registry.retry_strategy(&job.kind);
        Verdict::of(&descriptor.options, strategy, job, end)
    }

    /// Completes a job in the transaction of its handler. `false` if others have the job now.
    async fn complete(
        &self,
        job: &ClaimedJob,
        session: &Session,
        verdict: &Verdict,
        work: Option<Box<dyn Work>>,
    ) -> Result<bool, String> {
        let Some(work) = work else {
            return Err(
                "the `Tx` was still somewhere else when the handler returned, so nothing could \
                 be committed; keep it in the handler"
                    .to_owned(),
            );
        };
        let Disposition::End { retain, .. } = verdict.disposition else {
            return Err("only a job that has ended is completed".to_owned());
        };
        let completing = work.complete(session.id, job.key, retain, verdict.result.clone());
        let completed = in_time(LONGEST_CALL, completing).await;
        completed.map_err(|error| {
            format!(
                "the handler's transaction was not committed: {}",
                Chain(&error)
            )
        })
    }

    /// Gives back a job that was not begun.
    pub(super) async fn give_back(&self, job: &ClaimedJob, session: Session) {
        self.settle(job, session, Verdict::give_back(), Duration::ZERO)
            .await;
    }

    /// Waits for a place in the batch while the slot is still taken: so that a store which is
    /// slow to write holds up the claims, and results do not pile up in memory.
    async fn settle(&self, job: &ClaimedJob, session: Session, verdict: Verdict, ran: Duration) {
        telemetry::attempt_ended(job, &verdict.as_end(ran));
        let place = self.settler.reserve().await;
        let settlement = Settlement {
            key: job.key,
            place: job.place,
            disposition: verdict.disposition,
            failure: verdict.failure,
            result: verdict.result,
        };
        place.send(
            session,
            settlement,
            verdict.settled,
            measured(job, ran),
            job.is_limited,
        );
    }

    async fn run_handler(
        &self,
        descriptor: &JobDescriptor,
        job: &ClaimedJob,
        session: &Session,
        own: &Own,
    ) -> End {
        // It was cancelled while it ran before, and its worker died, say.
        if let Some(reason) = &job.cancel_reason {
            return End::Cancelled(reason.clone());
        }
        self.hooks.tell(|| Event::Started {
            id: job.key.id,
            kind: job.kind.clone(),
            attempt: job.attempt,
        });
        let cancellation = CancellationToken::new();
        let timeout = descriptor.options.timeout;
        let home = Home::default();
        let context = Context::new(Inner {
            job_id: job.key.id,
            kind: job.kind.clone(),
            attempt: job.attempt,
            max_attempts: descriptor.options.max_attempts,
            priority: job.priority,
            enqueued_at: job.enqueued_at,
            headers: job.headers.clone(),
            // A timeout past the end of time is none.
            deadline: timeout.and_then(|it| Instant::now().checked_add(it)),
            cancellation: cancellation.clone(),
            resources: Arc::clone(&self.resources),
            transaction: home.clone(),
            voice: Some(self.said.of(job.key, session)),
        });
        // Decoding is within: a `Deserialize` of the user's may panic, too.
        let handler = panics::catch(async {
            if let Some(executors) = self.registry.executors(&job.kind) {
                let executors = Arc::clone(executors);
                let outcome = self.execute(descriptor, job, context, executors, own);
                return End::Outcome(outcome.await);
            }
            if self.registry.is_transactional(&job.kind) {
                match self.store.begin().await {
                    Ok(work) => home.put(work),
                    Err(error) => return End::NotBegun(Chain(&error).to_string()),
                }
                put(own, Some(home));
            }
            End::Outcome(match descriptor.start(&job.payload, context) {
                Ok(handler) => handler.await,
                Err(outcome) => outcome,
            })
        });
        let panicked = |it: panics::Caught| End::Outcome(Outcome::Failed(it.into()));
        let mut handler = Box::pin(async move { handler.await.unwrap_or_else(panicked) });

        let cut_off = tokio::select! {
            biased;
            end = &mut handler => return end,
            () = sleep_for(timeout) => End::TimedOut,
            () = self.cancel.cancelled() => End::CutOff,
            () = self.drop_now.cancelled() => End::CutOff,
            () = session.lost.cancelled() => End::CutOff,
            reason = session.is_cancelled(job.key) => End::Cancelled(reason),
            // A limit holds also while the database cannot be reached: others may run the job then.
            () = session.is_unsure_of_its_jobs(), if job.is_limited => End::Unsure,
        };
        cancellation.cancel();
        let end = match cut_off {
            End::Cancelled(reason) => self.finish_up(&mut handler, session, reason).await,
            cut_off => self.after_cancel(&mut handler, cut_off).await,
        };
        // What it drops may panic as well as what it runs.
        match panics::catch(async { drop(handler) }).await {
            Ok(()) => end,
            Err(panic) => {
                warn!(
                    job.kind,
                    job.id = %job.key.id,
                    error = panic.message,
                    "a cancelled handler panicked while it was dropped"
                );
                end
            }
        }
    }

    /// Runs what is around the handler of a kind. It calls the handler, or does not.
    async fn execute(
        &self,
        descriptor: &JobDescriptor,
        job: &ClaimedJob,
        context: Context,
        executors: Arc<[Arc<dyn Executor>]>,
        own: &Own,
    ) -> Outcome {
        let is_transactional = self.registry.is_transactional(&job.kind);
        let handling = Arc::new(Handling {
            descriptor: *descriptor,
            payload: job.payload.clone(),
            context,
            executors,
            store: is_transactional.then(|| Arc::clone(&self.store)),
            last: Mutex::default(),
        });
        let outcome = Call::outermost(Arc::clone(&handling)).run().await;
        put(own, handling.take_last());
        outcome
    }
}

/// Where the transaction is in which the job is to be completed, if there is one.
type Own = Mutex<Option<Home>>;

fn put(own: &Own, home: Option<Home>) {
    *own.lock().unwrap_or_else(PoisonError::into_inner) = home;
}

/// The end of an attempt whose job others have by now.
fn lost(ran: Duration) -> AttemptEnd<'static> {
    AttemptEnd {
        settled: Settled::Lost,
        failure: None,
        again_in: Duration::ZERO,
        ran,
    }
}

fn measured(job: &ClaimedJob, ran: Duration) -> Measured {
    Measured {
        kind: job.kind.clone(),
        attempt: job.attempt,
        waited: job.waited,
        ran,
    }
}

pub(super) async fn sleep_for(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}
