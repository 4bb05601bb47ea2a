//! The list of jobs, and the page of one.

use std::borrow::Cow;

use pgqueuer::{JobId, JobRecord, JobState};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    Theme,
    columns::{Column, Row, Table, number, put, text, word},
    frame,
    wrap::wrap,
};
use crate::{
    commands::dashboard::{ask::READING, cursor::Key, model::Model},
    figures,
};

const COLUMNS: [Column; 8] = [
    number("ID", 0),
    text("KIND", 0, 16),
    word("STATE", 0),
    number("PRIO", 3),
    number("ATT", 1),
    number("AGE", 0),
    number("DUE IN", 0),
    text("LAST FAILURE", 0, 16),
];

pub(super) fn table(model: &Model) -> Table<'_> {
    let now = model.overview.at;
    let keys: Vec<Key> = model.jobs.iter().map(|it| Key::Job(it.id)).collect();
    let row = |job: &JobRecord| {
        let failure = job.failures.last().map(|it| it.message.as_str());
        let due = job.run_at.filter(|_| job.state == JobState::Scheduled);
        let progress = job.progress.as_ref();
        let progress = progress.map(|it| format!(" {:.0}%", it.fraction * 100.0));
        Row {
            cells: vec![
                job.id.to_string(),
                job.kind.clone(),
                format!("{}{}", job.state, progress.unwrap_or_default()),
                job.priority.to_string(),
                job.attempt.to_string(),
                figures::ago(job.enqueued_at, now),
                due.map(|it| figures::ago(now, it)).unwrap_or_default(),
                failure
                    .and_then(|it| it.lines().next())
                    .unwrap_or_default()
                    .to_owned(),
            ],
            style: Style::new(),
        }
    };
    Table {
        columns: &COLUMNS,
        rows: model.jobs.iter().map(row).collect(),
        chosen: model.chosen(&keys),
        if_empty: match model.is_read {
            true => "there is no such job".to_owned(),
            false => READING.to_owned(),
        },
    }
}

/// All that is known of a job, which is more than fits, maybe.
fn record(model: &Model, id: JobId) -> Cow<'_, str> {
    let opened = model.job.as_ref().filter(|it| it.id == id);
    match opened.map(|it| &it.found) {
        None => format!("job {id} is being read…").into(),
        Some(None) => format!("there is no job {id}, or its record has expired").into(),
        Some(Some(found)) => (&found.text).into(),
    }
}

/// How many rows its page has here.
pub(super) fn rows(model: &Model, id: JobId, area: Rect) -> usize {
    let width = frame::indented(area).width;
    let record = record(model, id);
    record.lines().map(|it| wrap(it, width).len()).sum()
}

pub(super) fn page(model: &Model, id: JobId, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let inside = frame::indented(area);
    let style = |line: &str| match line.starts_with("attempt ") {
        true => theme.title(),
        false => Style::new(),
    };
    let record = record(model, id);
    let rows = record.lines().flat_map(|line| {
        let rows = wrap(line, inside.width).into_iter();
        rows.map(move |row| (row, style(line)))
    });
    for ((row, style), at) in rows.skip(model.scroll).zip(inside.rows()) {
        buffer.set_stringn(at.x, at.y, row, at.width.into(), style);
    }
    if model.scroll > 0 {
        let above = format!("… {} lines above", model.scroll);
        let width = u16::try_from(above.chars().count()).unwrap_or(area.width);
        let x = area.right().saturating_sub(width + 1);
        put(
            &above,
            theme.quiet(),
            Rect::new(x, area.y, width, 1),
            buffer,
        );
    }
}
