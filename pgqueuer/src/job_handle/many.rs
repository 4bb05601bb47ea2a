//! Waiting for many jobs of one kind. (For jobs of several kinds, join the futures.)

use futures_util::{
    Stream, StreamExt as _,
    future::{join_all, select_all},
    stream::FuturesUnordered,
};

use super::{JobHandle, WaitError};
use crate::{
    error::{Error, Result},
    job::{Job, JobId},
};

impl<J: Job> JobHandle<J> {
    /// Waits for all of them. The results come in the order of the handles, each by itself.
    ///
    /// ```
    /// # use pgqueuer::{JobHandle, prelude::*};
    /// # #[job] async fn sum(a: i64, b: i64) -> Result<i64, String> { Ok(a + b) }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let pgq = PgQueuer::in_memory();
    /// let handles = Sum::enqueue_many(&pgq, (1..=3).map(|a| Sum { a, b: 10 })).await?;
    /// # pgq.worker().only_registered().register::<Sum>().build()?.drain().await?;
    /// let sums: Result<Vec<i64>, _> = JobHandle::wait_all(&handles).await.into_iter().collect();
    /// assert_eq!(sums?, [11, 12, 13]);
    /// # Ok::<(), pgqueuer::Error>(()) }).unwrap();
    /// ```
    pub async fn wait_all(handles: &[Self]) -> Vec<Result<J::Output, WaitError>> {
        join_all(handles.iter().map(Self::wait)).await
    }

    /// Waits for the first of them to end, well or not. The others go on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if there are none.
    pub async fn wait_first(handles: &[Self]) -> Result<(JobId, Result<J::Output, WaitError>)> {
        if handles.is_empty() {
            return Err(Error::config("there is no first of no jobs to wait for"));
        }
        let (result, index, _) = select_all(handles.iter().map(|it| Box::pin(it.wait()))).await;
        Ok((handles[index].id, result))
    }

    /// Waits for each of them, and yields them as they end.
    pub fn wait_each(
        handles: &[Self],
    ) -> impl Stream<Item = (JobId, Result<J::Output, WaitError>)> + Send + Unpin + 'static {
        let each = handles.iter().map(|handle| {
            let (id, waited) = (handle.id, handle.wait());
            async move { (id, waited.await) }
        });
        each.collect::<FuturesUnordered<_>>().boxed()
    }
}
