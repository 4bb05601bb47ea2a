//! Draws the model. Everything is said in words; colours only repeat it.

mod columns;
mod frame;
mod help;
mod jobs;
mod kinds;
mod schedules;
mod theme;
mod workers;
mod wrap;

use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
};

use super::model::{Model, Page};
pub(super) use kinds::plain;
#[cfg(test)]
pub(super) use kinds::text_of;
pub(super) use theme::Theme;

/// Where things are.
struct Places {
    totals: Rect,
    tabs: Rect,
    body: Rect,
    /// More about the line that is chosen.
    detail: Rect,
    status: Rect,
    hints: Rect,
}

/// Lower than this, there is no place for details.
const HIGH_ENOUGH: u16 = 18;

impl Places {
    fn of(page: Page, area: Rect) -> Self {
        let detail = match page {
            Page::Kinds | Page::Schedules if area.height >= HIGH_ENOUGH => 4,
            _ => 0,
        };
        let heights = [1, 1]
            .map(Constraint::Length)
            .into_iter()
            .chain([Constraint::Min(0)])
            .chain([detail, 1, 1].map(Constraint::Length));
        let [totals, tabs, body, detail, status, hints] = Layout::vertical(heights).areas(area);
        Self {
            totals,
            tabs,
            body,
            detail,
            status,
            hints,
        }
    }
}

/// Lets the model know for how much there is place, on which it depends how far keys move.
pub(super) fn fit(model: &mut Model, area: Rect) {
    let body = Places::of(model.page, area).body;
    let height = usize::from(body.height);
    let Page::Job(id) = model.page else {
        // A table has titles.
        model.lines = height.saturating_sub(1);
        return;
    };
    model.lines = height;
    model.last_scroll = jobs::rows(model, id, body).saturating_sub(height);
    model.scroll = model.scroll.min(model.last_scroll);
}

pub(super) fn draw(model: &Model, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let places = Places::of(model.page, area);
    let title = frame::totals(model, theme, places.totals, buffer);
    frame::tabs(model, title, theme, places.tabs, buffer);
    match model.page {
        Page::Kinds => {
            kinds::table(model).draw(theme, places.body, buffer);
            kinds::detail(model, theme, places.detail, buffer);
        }
        Page::Workers => workers::table(model).draw(theme, places.body, buffer),
        Page::Schedules => {
            schedules::table(model).draw(theme, places.body, buffer);
            schedules::detail(model, theme, places.detail, buffer);
        }
        Page::Jobs => jobs::table(model).draw(theme, places.body, buffer),
        Page::Job(id) => jobs::page(model, id, theme, places.body, buffer),
    }
    frame::status(model, theme, places.status, buffer);
    frame::hints(model, theme, places.hints, buffer);
    help::over(model, theme, area, buffer);
}
