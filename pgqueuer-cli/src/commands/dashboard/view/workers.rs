//! The page of workers, by session.

use ratatui::style::Style;

use super::columns::{Column, Row, Table, number, text, word};
use crate::commands::{
    dashboard::{cursor::Key, model::Model},
    workers::Work,
};

const COLUMNS: [Column; 7] = [
    number("SESSION", 1),
    text("NAME", 0, 20),
    number("SINCE", 0),
    number("LEASE", 2),
    word("STATE", 0),
    word("RUNNING", 0),
    text("KINDS", 0, 12),
];

pub(super) fn table(model: &Model) -> Table<'_> {
    let now = model.overview.at;
    let workers = &model.overview.workers;
    let shown: Vec<_> = workers
        .iter()
        .filter(|it| model.is_found(&it.name))
        .collect();
    let keys: Vec<Key> = shown.iter().map(|it| Key::Session(it.session)).collect();
    let row = |worker: &&pgqueuer::WorkerRecord| {
        let work = Work::of(worker, now);
        Row {
            cells: vec![
                worker.session.to_string(),
                worker.name.clone(),
                work.since,
                work.lease,
                work.state.to_owned(),
                work.running,
                work.kinds,
            ],
            style: Style::new(),
        }
    };
    Table {
        columns: &COLUMNS,
        rows: shown.iter().map(row).collect(),
        chosen: model.chosen(&keys),
        if_empty: match model.search.is_empty() {
            true => "no worker is running".to_owned(),
            false => format!("no worker has `{}` in its name", model.search),
        },
    }
}
