//! Executors: what is done around a handler, or instead of it.

mod handling;

pub(crate) use handling::Handling;

use std::{fmt, future::Future, sync::Arc};

use async_trait::async_trait;
use serde_json::Value;

use crate::{
    context::Context,
    error::{Error, Result},
    job::Job,
    outcome::Outcome,
    resources::{Requirement, State},
};

/// What is done around a handler: before it, after it, or instead of it.
///
/// A worker has [any number](crate::WorkerBuilder::executor) of them, and so each handler runs within
/// them: the first one outermost. A kind can have one of its own besides, innermost:
/// `#[job(executor = …)]`, with any expression.
///
/// An async function from [`Call`] to [`Outcome`] is one:
///
/// ```
/// use pgqueuer::{Call, Outcome, prelude::*};
///
/// /// Says how long each job took.
/// async fn timed(mut call: Call) -> Outcome {
///     let began = std::time::Instant::now();
///     let outcome = call.run().await;
///     println!("{} {} took {:?}", call.kind(), call.context().job_id(), began.elapsed());
///     outcome
/// }
///
/// #[job]
/// async fn import(file: String) { let _ = file; }
///
/// #[job(executor = timed)]
/// async fn export(file: String) { let _ = file; }
///
/// # fn build(pgq: PgQueuer) -> pgqueuer::Result<pgqueuer::Worker> {
/// // Around the handlers of all kinds:
/// pgq.worker().executor(timed).build()
/// # }
/// ```
///
/// One that has something to remember is a type of yours. It is made once for each worker, and shared
/// by all attempts:
///
/// ```
/// use std::{sync::atomic::{AtomicU32, Ordering::Relaxed}, time::Duration};
/// use pgqueuer::{Call, Executor, Outcome, prelude::*};
///
/// /// Does not call any more after so many failures in a row, but now and then.
/// struct CircuitBreaker { failures: AtomicU32, most: u32 }
///
/// impl CircuitBreaker {
///     fn new(most: u32) -> Self {
///         Self { failures: AtomicU32::new(0), most }
///     }
/// }
///
/// #[pgqueuer::async_trait]
/// impl Executor for CircuitBreaker {
///     async fn execute(&self, mut call: Call) -> Outcome {
///         if self.failures.load(Relaxed) >= self.most {
///             self.failures.fetch_sub(1, Relaxed);
///             return Outcome::Snoozed(Duration::from_secs(30));
///         }
///         let outcome = call.run().await;
///         match outcome.is_completed() {
///             true => self.failures.store(0, Relaxed),
///             false => { self.failures.fetch_add(1, Relaxed); }
///         }
///         outcome
///     }
/// }
///
/// #[job(executor = CircuitBreaker::new(5))]
/// async fn charge(account: i64) -> Result<(), String> {
///     # let _ = account;
///     Ok(())
/// }
/// ```
///
/// # What counts
///
/// The outcome that the outermost executor returns is that of the attempt, whatever the handler said. One that
/// returns [`Outcome::Completed`] without having called the handler completes the job. (If others
/// wait for a result of it, they are told that it is none, unless it is made:
/// [`Returned::of`](crate::Returned::of).)
///
/// The attempt begins before its executors: the timeout of the kind is for all of it, and when the attempt is cut
/// off, they are dropped with the handler at the next `.await`. A panic of an executor is a panic of the
/// attempt.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an executor",
    label = "neither an `Executor`, nor a function from `Call` to `Outcome`",
    note = "write an `async fn name(mut call: Call) -> Outcome`, or implement `pgqueuer::Executor`"
)]
pub trait Executor: Send + Sync + 'static {
    /// The resources that must be there, checked when the worker is built. Default: none.
    fn requirements(&self) -> Vec<Requirement> {
        Vec::new()
    }

    /// Carries out an attempt.
    async fn execute(&self, call: Call) -> Outcome;
}

#[async_trait]
#[diagnostic::do_not_recommend]
impl<F, Running> Executor for F
where
    F: Fn(Call) -> Running + Send + Sync + 'static,
    Running: Future<Output = Outcome> + Send,
{
    async fn execute(&self, call: Call) -> Outcome {
        self(call).await
    }
}

/// One that others have, too: several kinds, or the program.
#[async_trait]
#[diagnostic::do_not_recommend]
impl<E: Executor + ?Sized> Executor for Arc<E> {
    fn requirements(&self) -> Vec<Requirement> {
        (**self).requirements()
    }

    async fn execute(&self, call: Call) -> Outcome {
        (**self).execute(call).await
    }
}

/// An attempt, in the hands of an [`Executor`].
pub struct Call {
    handling: Arc<Handling>,
    /// How many executors are around this call.
    depth: usize,
}

impl Call {
    /// The whole of an attempt: the call that is handed to the outermost executor.
    pub(crate) fn outermost(handling: Arc<Handling>) -> Self {
        Self { handling, depth: 0 }
    }

    /// Runs the next executor inward, or decodes the payload and runs the handler.
    ///
    /// A panic within is [`Outcome::Failed`], with
    /// [`FailureReason::Panic`](crate::FailureReason::Panic); a payload that does not decode is
    /// [`Outcome::Held`], with [`FailureReason::Undecodable`](crate::FailureReason::Undecodable).
    ///
    /// Each further call runs all of it anew, within the same attempt and its timeout. A handler
    /// that takes a [`Tx`](crate::Tx) gets another one each time, and what the former wrote is rolled
    /// back before. Only what the last call wrote can be committed, and only if it was completed. If there is no
    /// connection for a transaction, the handler is not called, and the outcome is
    /// [`Outcome::Snoozed`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, so is the handler, at its `.await`, and its `Tx` is rolled back.
    pub async fn run(&mut self) -> Outcome {
        self.handling.run(self.depth).await
    }

    /// What there is to know about the attempt.
    #[must_use]
    pub fn context(&self) -> &Context {
        self.handling.context()
    }

    /// The kind. (That of the [context](Context::kind) is the name by which the job was enqueued,
    /// which may be an alias.)
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.handling.descriptor().kind
    }

    /// A resource of the worker.
    ///
    /// # Errors
    ///
    /// If it was not given. Name it in [`Executor::requirements`], and the worker refuses to
    /// start instead.
    pub fn state<T: Send + Sync + 'static>(&self) -> Result<State<T>> {
        self.context().resources().get()
    }

    /// The arguments, as JSON. Decodes the payload, each time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`](crate::ErrorKind::Payload) if they do not decode, or JSON cannot
    /// represent them.
    pub fn arguments(&self) -> Result<Value> {
        self.handling.descriptor().to_json(self.handling.payload())
    }

    /// The job with its arguments, if this is its type. Decodes the payload, each time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`](crate::ErrorKind::Payload) if they do not decode, or the job is of
    /// another kind.
    pub fn job<J: Job>(&self) -> Result<J> {
        if J::KIND != self.kind() {
            let (wanted, kind) = (J::KIND, self.kind());
            return Err(Error::payload(format!(
                "the job is a `{kind}`, not a `{wanted}`"
            )));
        }
        self.handling.payload().decode()
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("kind", &self.kind())
            .field("context", self.context())
            .finish_non_exhaustive()
    }
}
