//! The page of schedules.

use chrono::{DateTime, Utc};
use pgqueuer::ScheduleRecord;
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    Theme,
    columns::{Column, Row, Table, number, put, text, word},
    frame,
};
use crate::{
    commands::{
        dashboard::{ask::READING, cursor::Key, model::Model},
        schedules::list::{in_zone, remarks},
    },
    figures,
};

const COLUMNS: [Column; 6] = [
    text("NAME", 0, 18),
    text("WHEN", 0, 20),
    number("NEXT IN", 0),
    word("NEXT", 2),
    number("LAST", 0),
    text("REMARKS", 0, 12),
];

pub(super) fn table(model: &Model) -> Table<'_> {
    let shown = shown(model);
    let keys: Vec<Key> = shown
        .iter()
        .map(|it| Key::Schedule(it.name.clone()))
        .collect();
    let row = |schedule: &&ScheduleRecord| {
        let next = next(schedule);
        let until = next.map(|it| figures::ago(schedule.now, it));
        let zone = &schedule.schedule.zone;
        let words = schedule.schedule.describe();
        let rule = || schedule.schedule.rule.clone().into_owned();
        let last = schedule.last_slot;
        Row {
            cells: vec![
                schedule.name.clone(),
                words.unwrap_or_else(|_| rule()),
                until.unwrap_or_else(|| "-".to_owned()),
                next.map(|it| in_zone(it, zone)).unwrap_or_default(),
                last.map_or_else(
                    || "-".to_owned(),
                    |it| format!("{} ago", figures::ago(it, schedule.now)),
                ),
                remarks(schedule, None).join("; "),
            ],
            style: Style::new(),
        }
    };
    Table {
        columns: &COLUMNS,
        rows: shown.iter().map(row).collect(),
        chosen: model.chosen(&keys),
        if_empty: match model.search.is_empty() {
            _ if !model.is_read => READING.to_owned(),
            true => "there is no schedule yet; a worker publishes those in its code".to_owned(),
            false => format!("no schedule has `{}` in its name", model.search),
        },
    }
}

fn shown(model: &Model) -> Vec<&ScheduleRecord> {
    let all = model.schedules.iter();
    all.filter(|it| model.is_found(&it.name)).collect()
}

/// The slot that comes next; none of a schedule that is paused or at fault.
fn next(schedule: &ScheduleRecord) -> Option<DateTime<Utc>> {
    schedule.next_tick.or_else(|| schedule.next_slots().next())
}

/// More about the schedule that is chosen.
pub(super) fn detail(model: &Model, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let Some(Key::Schedule(name)) = model.selected() else {
        return;
    };
    let Some(it) = model.schedules.iter().find(|it| it.name == name) else {
        return;
    };
    let zone = &it.schedule.zone;
    let slots: Vec<String> = it
        .next_slots()
        .take(3)
        .map(|it| in_zone(it, zone))
        .collect();
    let next = match (slots.is_empty(), &it.fault, it.paused_at) {
        (false, ..) => slots.join(", "),
        (true, Some(fault), _) => fault.clone(),
        (true, None, Some(since)) => format!("none: paused on {}", in_zone(since, zone)),
        (true, None, None) => "none: it never ticks again".to_owned(),
    };
    let last = it.last_slot.map(|slot| in_zone(slot, zone));
    let job = it.last_job.map(|it| format!(", job {it}"));
    let lines = [
        format!(
            "rule {} ({zone}), kind {}, missed {}, overlap {}",
            it.schedule.rule, it.kind, it.schedule.missed, it.schedule.overlap
        ),
        format!("next {next}"),
        format!(
            "last {}{}",
            last.as_deref().unwrap_or("none"),
            job.unwrap_or_default()
        ),
    ];
    frame::rule(&format!("schedule {name}"), theme, area, buffer);
    for (line, at) in lines.iter().zip(area.rows().skip(1)) {
        put(line, Style::new(), frame::indented(at), buffer);
    }
}
