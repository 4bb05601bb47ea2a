//! The page of kinds, under their queues.

use ratatui::{
    buffer::{Buffer, Cell, CellWidth as _},
    layout::Rect,
    style::Style,
};

use super::{
    Theme,
    columns::{Column, Row, Table, number, put, text, word},
    frame,
};
use crate::{
    commands::{
        backlog::{Sum, quantile},
        dashboard::{
            cursor::Key,
            model::{Model, Sort},
            rows::KindRow,
        },
    },
    figures,
};

const COLUMNS: [Column; 16] = [
    text("KIND", 0, 20),
    text("QUEUE", 4, 8),
    word("NOTE", 0),
    number("WAITING", 0),
    number("RUNNING", 0),
    number("SCHED", 1),
    number("HELD", 0),
    number("OLDEST", 0),
    number("RATE/S", 2),
    number("WAIT50", 5),
    number("WAIT95", 3),
    number("WAIT99", 6),
    number("RUN50", 5),
    number("RUN95", 3),
    number("RUN99", 6),
    word("LAST 30 MIN", 7),
];

pub(super) fn table(model: &Model) -> Table<'_> {
    let rows = model.kind_rows();
    let keys: Vec<Key> = rows.iter().map(|it| it.key.clone()).collect();
    let style = |row: &KindRow| match &row.key {
        Key::Queue(_) => Style::new().add_modifier(ratatui::style::Modifier::BOLD),
        _ => Style::new(),
    };
    let cells = |row: &KindRow| {
        let Sum {
            counts,
            recent,
            minutes,
            ..
        } = &row.sum;
        let (waits, runs) = (&recent.waits, &recent.runs);
        vec![
            row.name.clone(),
            match model.sort {
                // It is above.
                Sort::Queue => String::new(),
                _ => row.queue.clone(),
            },
            match row.mark {
                // Something wider is.
                "queue paused" | "all paused" => "(paused)".to_owned(),
                mark => mark.to_owned(),
            },
            figures::count(counts.available),
            figures::count(counts.running),
            figures::count(counts.scheduled),
            figures::count(counts.held),
            row.sum.oldest(model.overview.at),
            figures::rate(row.sum.per_second),
            quantile(waits, 0.5),
            quantile(waits, 0.95),
            quantile(waits, 0.99),
            quantile(runs, 0.5),
            quantile(runs, 0.95),
            quantile(runs, 0.99),
            chart(minutes),
        ]
    };
    Table {
        columns: &COLUMNS,
        rows: rows
            .iter()
            .map(|it| Row {
                cells: cells(it),
                style: style(it),
            })
            .collect(),
        chosen: model.chosen(&keys),
        if_empty: match model.search.is_empty() {
            true => "there is no job, and no worker has published any yet".to_owned(),
            false => format!("no kind or queue has `{}` in its name", model.search),
        },
    }
}

/// Each minute as a bar, against the highest. A minute without anything is a dot.
fn chart(minutes: &[u64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let highest = minutes.iter().copied().max().unwrap_or(0).max(1);
    let bar = |attempts: &u64| match *attempts {
        0 => '·',
        some => {
            let steps = u128::from(some) * BARS.len() as u128;
            let height = steps.div_ceil(u128::from(highest));
            BARS[usize::try_from(height).unwrap_or(1).clamp(1, BARS.len()) - 1]
        }
    };
    minutes.iter().map(bar).collect()
}

/// More about the kind or queue that is chosen, for which the table has no place.
pub(super) fn detail(model: &Model, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let rows = model.kind_rows();
    let keys: Vec<Key> = rows.iter().map(|it| it.key.clone()).collect();
    let chosen = model.chosen(&keys).filter(|it| !it.is_gone);
    let Some(row) = chosen.and_then(|it| rows.get(it.index)) else {
        return;
    };
    let mut title = match &row.key {
        Key::Kind(kind) => format!("kind {kind}"),
        _ => format!("queue {}", row.name),
    };
    let is_under_queue = model.sort == Sort::Queue;
    if !row.queue.is_empty() && !is_under_queue {
        title += &format!(", queue {}", row.queue);
    }
    if !row.mark.is_empty() {
        title += &format!(", {}", row.mark);
    }
    let recent = &row.sum.recent;
    let times = |name: &str, of| {
        let [median, most, nearly_all] = [0.5, 0.95, 0.99].map(|it| quantile(of, it));
        format!("{name}  p50 {median:>5}  p95 {most:>5}  p99 {nearly_all:>5}")
    };
    let highest = row.sum.minutes.iter().copied().max().unwrap_or(0);
    let lines = [
        format!(
            "{}    {}",
            times("wait", &recent.waits),
            times("run", &recent.runs)
        ),
        format!("in five minutes: {}", outcomes(&row.sum)),
        format!(
            "in half an hour: {}  at most {} a minute",
            chart(&row.sum.minutes),
            figures::count(highest)
        ),
    ];
    frame::rule(&title, theme, area, buffer);
    for (line, at) in lines.iter().zip(area.rows().skip(1)) {
        put(line, Style::new(), frame::indented(at), buffer);
    }
}

/// What the attempts came to.
fn outcomes(sum: &Sum) -> String {
    let tally = &sum.recent.tally;
    let all = [
        (tally.completed, "completed"),
        (tally.retried, "retried"),
        (tally.held, "held"),
        (tally.discarded, "discarded"),
        (tally.cancelled, "cancelled"),
        (tally.snoozed, "snoozed"),
    ];
    let some = all.into_iter().filter(|(count, _)| *count > 0);
    let words: Vec<String> = some
        .map(|(count, what)| format!("{} {what}", figures::count(count)))
        .collect();
    match words.is_empty() {
        true => "nothing".to_owned(),
        false => words.join(", "),
    }
}

/// A line of the screen as text: a wide letter covers the cell after it, which has none.
pub(in crate::commands::dashboard) fn text_of(cells: &[Cell]) -> String {
    let mut line = String::new();
    let mut covered = 0;
    for cell in cells {
        if covered == 0 {
            line += cell.symbol();
            covered = cell.cell_width();
        }
        covered = covered.saturating_sub(1);
    }
    line
}

/// The page as text, with all of its lines.
pub(in crate::commands::dashboard) fn plain(model: &Model, width: u16) -> String {
    let mut table = table(model);
    table.chosen = None;
    let height = u16::try_from(table.rows.len().max(1) + 2).unwrap_or(u16::MAX);
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    let [head, body] = [
        Rect {
            x: 1,
            width: width.saturating_sub(1),
            height: 1,
            ..area
        },
        Rect {
            y: 1,
            height: height - 1,
            ..area
        },
    ];
    frame::totals(model, Theme::Plain, head, &mut buffer);
    table.draw(Theme::Plain, body, &mut buffer);
    let lines = buffer.content.chunks(width.into()).map(|cells| {
        let line = text_of(cells);
        // The margin is for the mark of what is chosen.
        line.get(2..).unwrap_or_default().trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}
