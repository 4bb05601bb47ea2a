//! What the program says while it runs, and when it has said everything.

use std::{
    collections::HashMap,
    io::{IsTerminal, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use pgqueuer::Report;
use tokio::sync::watch;

/// What is worth waiting for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scene {
    Welcome,
    Payment,
    Reminder,
    Thumbnails,
    Held,
    Tick,
}

/// Everything that must be seen, and how often.
const SCENES: [(Scene, u32); 6] = [
    (Scene::Welcome, 1),
    (Scene::Payment, 1),
    (Scene::Reminder, 1),
    (Scene::Thumbnails, 1),
    (Scene::Held, 1),
    (Scene::Tick, 3),
];

/// Shared by all jobs, as `State<Story>`.
#[derive(Clone)]
pub(crate) struct Story(Arc<Inner>);

struct Inner {
    began: Instant,
    in_colour: bool,
    thumbnails: AtomicU32,
    seen: Mutex<HashMap<Scene, u32>>,
    complete: watch::Sender<bool>,
}

/// Prints a line: the time, a word, and what happens.
macro_rules! narrate {
    ($story:expr, $word:literal, $($text:tt)+) => {
        $story.line($word, &format!($($text)+))
    };
}
pub(crate) use narrate;

impl Story {
    pub(crate) fn begin(database: &str) -> Self {
        let story = Self(Arc::new(Inner {
            began: Instant::now(),
            in_colour: std::io::stdout().is_terminal(),
            thumbnails: AtomicU32::new(0),
            seen: Mutex::default(),
            complete: watch::Sender::new(false),
        }));
        story.print(&format!("\n  pgqueuer, on {database}\n"));
        story
    }

    pub(crate) fn line(&self, word: &str, text: &str) {
        let time = self.0.began.elapsed().as_secs_f64();
        let colour = match word {
            "fail" | "hold" | "rollback" => "31",
            "tick" => "35",
            "enqueue" | "commit" => "36",
            "note" => "33",
            _ => "32",
        };
        let word = format!("{word:<8}");
        let word = if self.0.in_colour {
            format!("\x1b[{colour}m{word}\x1b[0m")
        } else {
            word
        };
        self.print(&format!("  {time:5.2} s  {word}  {text}"));
    }

    /// A reader that is gone is no reason to panic.
    fn print(&self, line: &str) {
        let _ = writeln!(std::io::stdout(), "{line}");
    }

    pub(crate) fn count_thumbnail(&self) -> u32 {
        self.0.thumbnails.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn saw(&self, scene: Scene) {
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen.entry(scene).or_default() += 1;
        let is_seen = |(scene, times): &(Scene, u32)| seen.get(scene).is_some_and(|it| it >= times);
        if SCENES.iter().all(is_seen) {
            self.0.complete.send_replace(true);
        }
    }

    /// Completes when everything was seen; after ten seconds at the latest; at Ctrl-C.
    pub(crate) async fn ended_or_interrupted(self) {
        let mut complete = self.0.complete.subscribe();
        tokio::select! {
            _ = complete.wait_for(|it| *it) => {}
            () = tokio::time::sleep(Duration::from_secs(10)) => {
                narrate!(self, "note", "this took longer than expected");
            }
            _ = tokio::signal::ctrl_c() => narrate!(self, "note", "interrupted"),
        }
    }

    pub(crate) fn end(&self, report: &Report) {
        self.print(&format!(
            "\n  {} completed, {} retried, {} held for a person. Nothing is left running.\n\n  \
             The program you have just seen is examples/quickstart: start with jobs.rs.\n",
            report.completed, report.retried, report.held
        ));
    }
}
