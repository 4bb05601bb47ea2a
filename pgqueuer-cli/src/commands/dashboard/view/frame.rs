//! What is around every page: the sums, the tabs, the status and the keys.

use pgqueuer::Scope;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::Widget as _,
};

use super::{Theme, columns::put};
use crate::{
    commands::{
        backlog::Sum,
        dashboard::model::{Mode, Model, Notice, Page},
    },
    figures,
};

/// Whether there was place for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Enough,
    None,
}

/// What there is of everything.
pub(super) fn totals(model: &Model, theme: Theme, area: Rect, buffer: &mut Buffer) -> Place {
    let sum = Sum::of(&model.overview.kinds);
    let workers = model.overview.workers.len();
    let mut spans = vec![Span::raw(" ")];
    if model.is_paused(&Scope::Everything) {
        spans.push(Span::styled("ALL PAUSED  ", theme.paused()));
    }
    let held = figures::count(sum.counts.held);
    spans.extend([
        Span::raw(format!(
            "{} waiting  ",
            figures::count(sum.counts.available)
        )),
        Span::raw(format!("{} running  ", figures::count(sum.counts.running))),
        Span::raw(format!(
            "{} scheduled  ",
            figures::count(sum.counts.scheduled)
        )),
        match sum.counts.held {
            0 => Span::raw(format!("{held} held  ")),
            _ => Span::styled(format!("{held} held  "), theme.bad()),
        },
        Span::raw(format!("{}/s  ", figures::rate(sum.per_second))),
        match workers {
            0 => Span::styled("no worker", theme.bad()),
            1 => Span::raw("1 worker"),
            _ => Span::raw(format!("{workers} workers")),
        },
    ]);
    let line = Line::from(spans).style(theme.title());
    let used = width_of(&line);
    line.render(area, buffer);
    right(&model.title, theme.quiet(), used, area, buffer)
}

/// The pages, and what is on this one; and which queue this is, if there was no place for that above.
pub(super) fn tabs(model: &Model, title: Place, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let names = ["1 kinds", "2 workers", "3 schedules", "4 jobs"];
    let mut spans = vec![Span::raw(" ")];
    for (tab, name) in names.into_iter().enumerate() {
        // In brackets as well: not every terminal shows what is reversed.
        spans.push(match tab == model.page.tab() {
            true => Span::styled(format!("[{name}]"), theme.chosen()),
            false => Span::raw(format!(" {name} ")),
        });
    }
    let line = Line::from(spans);
    let used = width_of(&line);
    line.render(area, buffer);
    let shown = shown(model);
    if title == Place::None {
        let both = format!("{shown}  {}", model.title);
        if right(both.trim_start(), Style::new(), used, area, buffer) == Place::Enough {
            return;
        }
    }
    right(&shown, Style::new(), used, area, buffer);
}

fn width_of(line: &Line<'_>) -> u16 {
    u16::try_from(line.width()).unwrap_or(u16::MAX)
}

/// Which part of everything is on the page.
fn shown(model: &Model) -> String {
    match model.page {
        Page::Job(id) => format!("job {id}"),
        Page::Jobs => {
            let mut words = Vec::new();
            words.extend(model.query.state.map(|it| it.to_string()));
            words.extend(model.query.of.as_ref().map(ToString::to_string));
            if !model.before.is_empty() {
                words.push(format!("page {}", model.before.len() + 1));
            }
            match words.is_empty() {
                true => "all unfinished, by id".to_owned(),
                false => words.join(", "),
            }
        }
        _ if !model.search.is_empty() => format!("with `{}`", model.search),
        Page::Kinds => format!("by {}", model.sort.name()),
        Page::Workers | Page::Schedules => String::new(),
    }
}

/// What came of the last key, and how new what is shown is: a word of the one never hides the other.
pub(super) fn status(model: &Model, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let (said, style) = match &model.notice {
        Some(Notice::Doing) => ("working…", Style::new()),
        Some(Notice::Done(what)) => (what.as_str(), theme.good()),
        Some(Notice::Refused(why)) => (why.as_str(), theme.bad()),
        None => ("", Style::new()),
    };
    let inside = indented(area);
    let Some(trouble) = &model.trouble else {
        let when = when(model);
        let place = Rect {
            width: area.width.saturating_sub(width_of(&Line::raw(&when)) + 3),
            ..inside
        };
        put(said, style, place, buffer);
        right(&when, theme.quiet(), place.width, area, buffer);
        return;
    };
    // It may be long: it has half of the line at least, and all that is left.
    let half = inside.width / 2;
    let used = match width_of(&Line::raw(said)) {
        0 => 0,
        width => (width + 2).min(half),
    };
    let place = Rect {
        width: used.saturating_sub(2),
        ..inside
    };
    put(said, style, place, buffer);
    let place = Rect {
        x: inside.x + used,
        width: inside.width - used,
        ..inside
    };
    let style = match trouble.is_slow {
        true => theme.quiet(),
        false => theme.bad(),
    };
    let age = figures::age(trouble.newest.elapsed());
    put(
        &format!("{age} old: {}", trouble.message),
        style,
        place,
        buffer,
    );
}

fn when(model: &Model) -> String {
    let at = model.overview.at.format("%H:%M:%S UTC");
    match model.is_frozen {
        true => format!("as of {at}, FROZEN"),
        // A tenth of a second more or less is nothing here.
        false => {
            let rest = (model.rest.as_secs_f64() * 10.0).round() / 10.0;
            format!("as of {at}, every {rest} s")
        }
    }
}

pub(super) fn hints(model: &Model, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let text = match (&model.mode, model.page) {
        (Mode::Search(text), Page::Jobs) => format!("job id, kind or queue: {text}_"),
        (Mode::Search(text), _) => format!("search: {text}_"),
        (_, Page::Kinds) => {
            "enter jobs  p pause  r requeue held  c cancel  d discard held  s sort  / ? q"
                .to_owned()
        }
        (_, Page::Workers) => "/ search  space freeze  u read now  ? help  q quit".to_owned(),
        (_, Page::Schedules) => {
            "enter jobs  p pause or resume  / search  u read now  ? help  q quit".to_owned()
        }
        (_, Page::Jobs) => {
            "enter page  r requeue  c cancel  d discard  f state  / search  n b pages  ? q"
                .to_owned()
        }
        (_, Page::Job(_)) => {
            "esc back  j k scroll  r requeue  c cancel  d discard  ? help  q quit".to_owned()
        }
    };
    let style = match model.mode {
        Mode::Search(_) => Style::new(),
        _ => theme.quiet(),
    };
    put(&text, style, indented(area), buffer);
}

/// A line across, with a title.
pub(super) fn rule(title: &str, theme: Theme, area: Rect, buffer: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let line = "─".repeat(area.width.into());
    put(&line, theme.quiet(), Rect { height: 1, ..area }, buffer);
    let place = Rect::new(area.x + 2, area.y, area.width.saturating_sub(4), 1);
    put(&format!(" {title} "), theme.title(), place, buffer);
}

/// One column in from the left.
pub(super) fn indented(area: Rect) -> Rect {
    Rect {
        x: area.x + 1,
        width: area.width.saturating_sub(1),
        ..area
    }
}

/// Text at the right end of a line, if there is place for it beside what is `used` at the left.
fn right(text: &str, style: Style, used: u16, area: Rect, buffer: &mut Buffer) -> Place {
    let width = width_of(&Line::raw(text));
    let left = area.width.saturating_sub(used);
    if width.saturating_add(2) > left {
        return Place::None;
    }
    let x = area.right() - width - 1;
    put(text, style, Rect::new(x, area.y, width, 1), buffer);
    Place::Enough
}
