//! What is over a page: a question, or the help.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Text},
    widgets::{Block, Clear, Padding, Paragraph, Widget as _, Wrap},
};

use super::Theme;
use crate::commands::dashboard::{
    keys::HELP,
    model::{Mode, Model},
};

/// No wider than is good to read.
const WIDTH: u16 = 72;

pub(super) fn over(model: &Model, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let (title, text) = match &model.mode {
        Mode::Confirm(question) => {
            let lines = question.text.lines().map(|it| Line::raw(it.to_owned()));
            let answer = Line::styled("y yes    n no", theme.title());
            let lines = lines.chain([Line::default(), answer]);
            ("sure?", Text::from_iter(lines))
        }
        Mode::Help => {
            let lines = HELP.map(|(key, what)| Line::raw(format!("{key:17}{what}")));
            ("keys", Text::from_iter(lines))
        }
        Mode::Browse | Mode::Search(_) => return,
    };
    let width = WIDTH.min(area.width);
    let inside = width.saturating_sub(4).max(1);
    let wrapped: usize = text
        .lines
        .iter()
        .map(|it| it.width().div_ceil(inside.into()).max(1))
        .sum();
    let height = u16::try_from(wrapped + 2)
        .unwrap_or(u16::MAX)
        .min(area.height);
    let place = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    Clear.render(place, buffer);
    let block = Block::bordered()
        .title(format!(" {title} "))
        .padding(Padding::horizontal(1));
    Paragraph::new(text)
        .wrap(Wrap { trim: false })
        .block(block)
        .render(place, buffer);
}
