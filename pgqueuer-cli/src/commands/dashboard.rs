//! `dashboard`: what the queue is doing, live, and what can be done about it.
//!
//! ```text
//!  terminal ─► keys ─► action ─► Model::update ─► effect ─► feed: read the queue, do something to it
//!                                    │                       │
//!  terminal ◄────────── view ◄───────┴────── Model::show ◄───┘
//! ```
//!
//! The model knows no terminal and no queue, and the view only the model.

mod ask;
mod cursor;
mod data;
mod feed;
mod keys;
mod model;
mod operation;
mod reader;
mod rows;
mod run;
mod terminal;
mod update;
mod view;

#[cfg(test)]
mod tests;

use std::{
    env,
    io::{self, IsTerminal as _},
    ops::RangeInclusive,
    pin::pin,
    time::Duration,
};

use clap::Args;
use pgqueuer::PgQueuer;
use tokio::time::{MissedTickBehavior, timeout};

use self::{
    data::{Data, Wanted},
    model::Model,
    reader::{NO_ANSWER, READ_LIMIT},
    view::Theme,
};
use crate::{
    catalog::Catalog,
    exit::Failure,
    output::{Format, Output, note},
};

/// Watches the queue, live: kinds, workers, schedules and jobs, with keys to act on them.
///
/// Where the output is no terminal, as with `--once`. With `--format json` it writes what
/// `backlog` does, in a line, each time.
#[derive(Debug, Args)]
pub(crate) struct DashboardArgs {
    /// How often the queue is read, in seconds: from 0.2 to 3600.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = parse_interval)]
    interval: Duration,

    /// Print the kinds once, as text, and end.
    #[arg(long)]
    once: bool,

    /// Without colours; the variable `NO_COLOR` does the same.
    #[arg(long)]
    no_color: bool,
}

const INTERVAL: RangeInclusive<f64> = 0.2..=3600.0;

fn parse_interval(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if INTERVAL.contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!(
            "it is a number of seconds, from {} to {}",
            INTERVAL.start(),
            INTERVAL.end()
        )),
    }
}

impl DashboardArgs {
    /// Whether it draws on the screen, where nobody else should write.
    pub(crate) fn is_live(&self, format: Format) -> bool {
        !self.once && format == Format::Table && io::stdout().is_terminal()
    }

    fn theme(&self) -> Theme {
        let is_unwanted = env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
        match self.no_color || is_unwanted {
            true => Theme::Plain,
            false => Theme::Coloured,
        }
    }
}

pub(super) async fn run(
    pgq: &PgQueuer,
    built_in: Option<Catalog>,
    args: DashboardArgs,
    format: Format,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    if format == Format::Json {
        return stream(pgq, &args, output).await;
    }
    let data = Data::read(pgq, Wanted::Overview, || ()).await?;
    let catalog = match built_in {
        Some(catalog) => catalog,
        None => Catalog::published(pgq).await?,
    };
    let model = Model::new(title(pgq), args.interval, catalog, data);
    match args.is_live(format) {
        true => run::run(pgq, model, args.theme()).await,
        false => output.text(&view::plain(&model, width())),
    }
}

/// An overview in a line, each time, until nobody reads it; or one.
async fn stream(
    pgq: &PgQueuer,
    args: &DashboardArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let overview = pgq.overview().await?;
    if args.once {
        return output.json(&overview);
    }
    let mut is_read = output.json_line(&overview)?;
    let mut ticks = tokio::time::interval(args.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    while is_read {
        ticks.tick().await;
        let mut reading = pin!(pgq.overview());
        // It is not given up: its statement would go on, and the next one would be beside it.
        let read = loop {
            match timeout(READ_LIMIT, &mut reading).await {
                Ok(read) => break read,
                Err(_) => note(NO_ANSWER),
            }
        };
        match read {
            Ok(overview) => is_read = output.json_line(&overview)?,
            // It may come back, as a database does that fails over.
            Err(error) => note(Failure::from(error).in_a_line()),
        }
    }
    Ok(())
}

/// Which queue it is, as people know it.
fn title(pgq: &PgQueuer) -> String {
    let Some(pool) = pgq.pool() else {
        return "in memory".to_owned();
    };
    let options = pool.connect_options();
    let database = options.get_database().unwrap_or(options.get_username());
    format!("{}/{database}", options.get_host())
}

/// How wide text is printed: as the terminal is, else so that all numbers are there.
fn width() -> u16 {
    const IN_A_FILE: u16 = 130;
    match ratatui::crossterm::terminal::size() {
        Ok((columns, _)) if io::stdout().is_terminal() => columns.max(40),
        _ => IN_A_FILE,
    }
}
