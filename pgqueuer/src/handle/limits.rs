//! Limits and pauses, while workers run.

#[cfg(doc)]
use crate::error::ErrorKind;
use crate::{
    error::{Error, Result},
    handle::PgQueuer,
    limits::{LimitRecord, Limits, Scope, SetLimit},
    store::KindRecord,
};

impl PgQueuer {
    /// Sets limits of a kind or a queue, instead of what the code says: those that are named here.
    /// They hold on all workers within a second, and stay until they are set again or
    /// [reset](Self::reset_limits), whatever is deployed.
    ///
    /// Jobs that run already are counted. If they are more than the new limit, none begins until
    /// enough of them are through.
    ///
    /// ```
    /// use pgqueuer::{PgQueuer, Scope, SetLimit};
    ///
    /// # async fn relieve(pgq: PgQueuer) -> pgqueuer::Result<()> {
    /// let mail = Scope::Kind("send_mail".to_owned());
    /// let limits = [SetLimit::Concurrency(Some(5)), SetLimit::Rate(Some("20/s".parse()?))];
    /// pgq.set_limits(&mail, &limits).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if a limit is out of range, if a queue is to be limited by key, or a kind
    /// whose jobs have no keys; and if [everything](Scope::Everything) is to be limited.
    pub async fn set_limits(&self, scope: &Scope, limits: &[SetLimit]) -> Result<()> {
        let mut asked = Limits::NONE;
        limits.iter().for_each(|it| it.apply(&mut asked));
        asked.validate_for(scope).map_err(Error::config)?;
        if asked.is_keyed() {
            self.check_has_keys(scope).await?;
        }
        let scope = self.resolve(scope).await?;
        self.store().set_limits(&scope, Some(limits)).await
    }

    /// Lets the limits of the code hold again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] or [`ErrorKind::Schema`].
    pub async fn reset_limits(&self, scope: &Scope) -> Result<()> {
        let scope = self.resolve(scope).await?;
        self.store().set_limits(&scope, None).await
    }

    /// Begins no more jobs of a kind, a queue, or at all, on any worker, within a second; those
    /// that run go on. Enqueueing goes on, too. It lasts until it is [resumed](Self::resume),
    /// whatever is restarted.
    ///
    /// Returns whether that changed anything.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] or [`ErrorKind::Schema`].
    pub async fn pause(&self, scope: &Scope) -> Result<bool> {
        let scope = self.resolve(scope).await?;
        self.store().set_paused(&scope, true).await
    }

    /// Ends a [pause](Self::pause). What is paused by itself besides (a kind, if its queue is
    /// resumed) stays so. Returns whether that changed anything.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] or [`ErrorKind::Schema`].
    pub async fn resume(&self, scope: &Scope) -> Result<bool> {
        let scope = self.resolve(scope).await?;
        self.store().set_paused(&scope, false).await
    }

    /// What is limited or paused, by the code or by hand.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] or [`ErrorKind::Schema`].
    pub async fn list_limits(&self) -> Result<Vec<LimitRecord>> {
        self.store().list_limits().await
    }

    async fn check_has_keys(&self, scope: &Scope) -> Result<()> {
        match self.known(scope).await? {
            Some(known) if known.limit_by.is_empty() => Err(Error::config(format!(
                "the jobs of {scope} have no keys; say by which argument, as in \
                 `#[job(concurrency(limit = 1, by = customer))]`"
            ))),
            _ => Ok(()),
        }
    }

    /// The kind that an alias stands for.
    async fn resolve(&self, scope: &Scope) -> Result<Scope> {
        Ok(match self.known(scope).await? {
            Some(known) => Scope::Kind(known.job),
            None => scope.clone(),
        })
    }

    async fn known(&self, scope: &Scope) -> Result<Option<KindRecord>> {
        let Scope::Kind(name) = scope else {
            return Ok(None);
        };
        let kinds = self.list_kinds().await?;
        Ok(kinds.into_iter().find(|it| it.kind == *name))
    }
}
