//! How far something is that takes over a second, for who waits for it at a terminal.

use std::{
    future::Future,
    pin::pin,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is over by then need not be watched.
const PATIENCE: Duration = Duration::from_secs(1);

/// Counts what is done. Drawn to standard error, if that is a terminal, and gone when dropped.
pub(crate) struct Bar {
    bar: ProgressBar,
    began: Instant,
}

impl Bar {
    /// `total` is zero if it is not known.
    pub(crate) fn new(what: &str, total: u64) -> Self {
        let hidden = ProgressDrawTarget::hidden();
        let template = match total {
            0 => "{msg} {spinner} {human_pos}, {elapsed}",
            _ => "{msg} {wide_bar} {human_pos}/{human_len}, {elapsed}, {eta} left",
        };
        let bar = ProgressBar::with_draw_target((total > 0).then_some(total), hidden);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        let began = Instant::now();
        Self { bar, began }
    }

    /// So many more are done.
    pub(crate) fn add(&self, count: u64) {
        if self.bar.is_hidden() && self.began.elapsed() > PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(count);
    }

    /// Awaits one thing of which nobody knows how far it is.
    pub(crate) async fn watch<T>(&self, task: impl Future<Output = T>) -> T {
        let mut task = pin!(task);
        match tokio::time::timeout(PATIENCE, &mut task).await {
            Ok(done) => done,
            Err(_) => {
                self.add(0);
                self.bar.enable_steady_tick(Duration::from_millis(100));
                let done = task.await;
                self.bar.disable_steady_tick();
                done
            }
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Awaits something that may take a while.
pub(crate) async fn watch<T>(what: &str, task: impl Future<Output = T>) -> T {
    Bar::new(what, 0).watch(task).await
}
