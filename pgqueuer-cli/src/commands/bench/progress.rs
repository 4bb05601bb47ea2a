//! How far a run is.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::task::AbortOnDropHandle;

use super::probe::Board;

/// How often progress is looked at, and a point of the plot is taken.
const TICK: Duration = Duration::from_millis(50);

/// Shows how far a run is, and remembers it for the plot.
pub(super) struct Progress {
    bar: ProgressBar,
    watching: AbortOnDropHandle<()>,
    points: Arc<Mutex<Vec<(f64, u64)>>>,
}

impl Progress {
    pub(super) fn start(board: Arc<Board>, jobs: u64, title: &str) -> Self {
        // Drawn to standard error, and only if that is a terminal.
        let (bar, template) = match jobs {
            0 => (
                ProgressBar::new_spinner(),
                "{msg:>12} {spinner} {human_pos} jobs, {per_sec}",
            ),
            _ => (
                ProgressBar::new(jobs),
                "{msg:>12} {wide_bar} {human_pos}/{human_len} jobs, {per_sec}",
            ),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(title.to_owned());
        let points: Arc<Mutex<Vec<(f64, u64)>>> = Arc::default();
        let (drawn, taken) = (bar.clone(), Arc::clone(&points));
        let watch = async move {
            let began = Instant::now();
            let mut tick = tokio::time::interval(TICK);
            loop {
                tick.tick().await;
                let done = board.done();
                if done > 0 {
                    drawn.set_position(done);
                }
                let point = (began.elapsed().as_secs_f64(), drawn.position());
                if let Ok(mut points) = taken.lock() {
                    points.push(point);
                }
            }
        };
        Self {
            bar,
            watching: AbortOnDropHandle::new(tokio::spawn(watch)),
            points,
        }
    }

    /// Counts what no probe does.
    pub(super) fn add(&self, jobs: u64) {
        self.bar.inc(jobs);
    }

    /// Seconds since the beginning, and how many jobs were done by then.
    pub(super) fn finish(self) -> Vec<(f64, u64)> {
        self.watching.abort();
        self.bar.finish_and_clear();
        let mut points = self.points.lock();
        points
            .as_mut()
            .map(|it| std::mem::take(&mut **it))
            .unwrap_or_default()
    }
}
