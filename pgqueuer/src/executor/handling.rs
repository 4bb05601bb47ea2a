//! How an attempt goes through its executors to its handler.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tracing::warn;

use super::{Call, Executor};
use crate::{
    context::Context,
    error::{Chain, Result},
    outcome::Outcome,
    payload::Payload,
    registry::JobDescriptor,
    runtime::catch,
    store::{Store, Work},
    tx::Home,
};

/// How long a job waits for which there was no transaction. A guess: long enough not to spin.
const A_MOMENT: Duration = Duration::from_secs(1);

/// An attempt of a kind that has executors.
pub(crate) struct Handling {
    pub(crate) descriptor: JobDescriptor,
    pub(crate) payload: Payload,
    pub(crate) context: Context,
    pub(crate) executors: Arc<[Arc<dyn Executor>]>,
    /// Where transactions are begun, if the handler takes one.
    pub(crate) store: Option<Arc<dyn Store>>,
    /// Has the transaction of the last run, if that was completed.
    pub(crate) last: Mutex<Option<Home>>,
}

impl Handling {
    /// An attempt without a store.
    #[cfg(feature = "testing")]
    pub(crate) fn alone(
        descriptor: JobDescriptor,
        payload: Payload,
        context: Context,
        executor: Arc<dyn Executor>,
    ) -> Self {
        Self {
            descriptor,
            payload,
            context,
            executors: Arc::new([executor]),
            store: None,
            last: Mutex::default(),
        }
    }

    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    pub(super) fn descriptor(&self) -> &JobDescriptor {
        &self.descriptor
    }

    pub(super) fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Where the transaction is in which the job is to be completed, if there is one.
    pub(crate) fn take_last(&self) -> Option<Home> {
        self.lock_last().take()
    }

    fn lock_last(&self) -> MutexGuard<'_, Option<Home>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs what is within so many executors.
    pub(super) async fn run(self: &Arc<Self>, depth: usize) -> Outcome {
        let Some(executor) = self.executors.get(depth) else {
            return self.run_handler().await;
        };
        let call = Call {
            handling: Arc::clone(self),
            depth: depth + 1,
        };
        caught(async { executor.execute(call).await }).await
    }

    async fn run_handler(&self) -> Outcome {
        let Some(store) = &self.store else {
            return self.call_handler(self.context.clone()).await;
        };
        let former = self.take_last();
        roll_back(former.and_then(|it| it.take())).await;
        let home = Home::default();
        match store.begin().await {
            Ok(work) => home.put(work),
            Err(error) => {
                warn!(error = %Chain(&error), "no transaction for the handler");
                return Outcome::Snoozed(A_MOMENT);
            }
        }
        // Each run has a place of its own: a `Tx` that an earlier one has kept comes back to where
        // nobody looks.
        let context = self.context.with_transaction(home.clone());
        let outcome = self.call_handler(context).await;
        if outcome.is_completed() {
            *self.lock_last() = Some(home);
        } else {
            roll_back(home.take()).await;
        }
        outcome
    }

    async fn call_handler(&self, context: Context) -> Outcome {
        // Decoding is within: a `Deserialize` of the user's may panic, too.
        let handler = async {
            match self.descriptor.start(&self.payload, context) {
                Ok(handler) => handler.await,
                Err(outcome) => outcome,
            }
        };
        caught(handler).await
    }
}

async fn caught(work: impl Future<Output = Outcome>) -> Outcome {
    catch(work)
        .await
        .unwrap_or_else(|panic| Outcome::Failed(panic.into()))
}

/// By the time that this returns, nobody waits for its locks.
async fn roll_back(work: Option<Box<dyn Work>>) {
    let rolled_back: Result<()> = match work {
        Some(work) => work.roll_back().await,
        None => Ok(()),
    };
    if let Err(error) = rolled_back {
        // The server does it when the connection is gone.
        warn!(error = %Chain(&error), "failed to roll back the transaction of a handler");
    }
}
