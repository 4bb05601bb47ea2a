//! The list of jobs, and the page of one.

use pgqueuer::{JobId, JobRecord, JobState};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Text},
    widgets::{Paragraph, Widget as _, Wrap},
};

use super::{
    Theme,
    columns::{Column, Row, Table, number, put, text, word},
    frame,
};
use crate::{
    commands::dashboard::{
        ask::READING,
        model::{Key, Model},
    },
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
        chosen: model.cursors[model.page.tab()].find(&keys),
        if_empty: match model.is_read {
            true => "there is no such job".to_owned(),
            false => READING.to_owned(),
        },
    }
}

/// All that is known of a job.
pub(super) fn page(model: &Model, id: JobId, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let opened = model.job.as_ref().filter(|it| it.id == id);
    let text = match opened.map(|it| &it.found) {
        None => format!("job {id} is being read…"),
        Some(None) => format!("there is no job {id}, or its record has expired"),
        Some(Some(found)) => found.text.clone(),
    };
    let is_heading = |line: &str| line.starts_with("attempt ");
    let lines = text.lines().map(|line| match is_heading(line) {
        true => Line::styled(line.to_owned(), theme.title()),
        false => Line::raw(line.to_owned()),
    });
    let inside = frame::indented(area);
    let top = u16::try_from(model.scroll).unwrap_or(u16::MAX);
    Paragraph::new(Text::from_iter(lines))
        .wrap(Wrap { trim: false })
        .scroll((top, 0))
        .render(inside, buffer);
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
