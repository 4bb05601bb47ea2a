//! `LISTEN` on PostgreSQL, on a connection of its own, which is made again when it is lost.

use std::{
    future::Future,
    io,
    time::{Duration, Instant},
};

use sqlx::{
    Executor as _, PgPool,
    postgres::{PgListener, PgNotification, PgPoolOptions},
};
use tokio::sync::watch;
use tracing::{debug, warn};

use super::{failure::failed_to, lookout::Moves};
use crate::error::{Chain, Result};

/// How long to wait before the first try to connect again; doubled each time, and spread, since
/// all lose their connections when the server restarts.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long to hear nothing before asking whether the other end is still there. A server says
/// nothing on its own, so that the silence of a dead connection is like that of a quiet queue.
/// Seldom enough not to be a load, and often enough that no firewall forgets the connection.
const ASK_AFTER: Duration = Duration::from_secs(10);

/// How long to wait for an answer, and for a connection.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Listens to one channel.
pub(super) struct Listener {
    listener: PgListener,
    pool: PgPool,
    moves: Moves,
    moved: watch::Receiver<Option<Instant>>,
    channel: String,
}

impl Listener {
    pub(super) async fn listen(pool: &PgPool, moves: &Moves, channel: &str) -> Result<Self> {
        // Before anybody connects, so that no move is missed.
        let moved = moves.subscribe();
        let listener = in_time(connect(pool, channel))
            .await
            .map_err(failed_to("listen for notifications"))?;
        Ok(Self {
            listener,
            pool: pool.clone(),
            moves: moves.clone(),
            moved,
            channel: channel.to_owned(),
        })
    }

    /// Waits for a notification. `None`: the connection was lost, and there is another one; what was
    /// told meanwhile is unknown.
    ///
    /// # Cancel safety
    ///
    /// No notification is lost if the future is dropped.
    pub(super) async fn heard(&mut self) -> Option<PgNotification> {
        match self.next().await {
            Ok(notification) => Some(notification),
            Err(error) => {
                warn!(%error, "lost the connection for notifications; polling meanwhile");
                self.listen_again().await;
                None
            }
        }
    }

    /// A notification that is there already.
    pub(super) fn next_heard(&mut self) -> Option<PgNotification> {
        self.listener.next_buffered()
    }

    /// Waits for a notification, or for the end of the connection.
    async fn next(&mut self) -> sqlx::Result<PgNotification> {
        loop {
            let heard = tokio::select! {
                heard = tokio::time::timeout(ASK_AFTER, self.listener.try_recv()) => heard,
                // The host may still be there, but nobody rings at it any more.
                Ok(()) = self.moved.changed() => return Err(moved_away().into()),
            };
            match heard {
                Ok(Ok(Some(notification))) => return Ok(notification),
                Ok(Ok(None)) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(Err(error)) => return Err(error),
                // An empty statement has an answer as well.
                Err(_) => in_time(self.listener.execute("")).await?,
            };
            // The answer may have come behind a notification.
            if let Some(notification) = self.listener.next_buffered() {
                return Ok(notification);
            }
        }
    }

    async fn listen_again(&mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            match Self::listen(&self.pool, &self.moves, &self.channel).await {
                Ok(fresh) => {
                    *self = fresh;
                    return;
                }
                Err(error) => debug!(error = %Chain(&error), "polling meanwhile"),
            }
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }
}

async fn connect(pool: &PgPool, channel: &str) -> sqlx::Result<PgListener> {
    // A pool of its own: closing a pool waits for ever for a listener that is not polled.
    let own_pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(ANSWER_WITHIN)
        .connect_lazy_with(pool.connect_options().as_ref().clone());
    let mut listener = PgListener::connect_with(&own_pool).await?;
    // Its way to connect again has no limit of time.
    listener.eager_reconnect(false);
    listener.listen(channel).await?;
    Ok(listener)
}

fn moved_away() -> io::Error {
    io::Error::other("the database is at another host")
}

async fn in_time<T>(call: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    match tokio::time::timeout(ANSWER_WITHIN, call).await {
        Ok(result) => result,
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
}
