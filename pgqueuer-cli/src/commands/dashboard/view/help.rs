//! What is over a page: a question, or the help.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::Line,
    widgets::{Block, Clear, Padding, Paragraph, Widget as _},
};

use super::{Theme, wrap::wrap_all};
use crate::commands::dashboard::{
    keys::HELP,
    model::{Mode, Model},
};

/// No wider than is good to read.
const WIDTH: u16 = 72;

pub(super) fn over(model: &Model, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let width = WIDTH.min(area.width);
    let inside = width.saturating_sub(4);
    let place = usize::from(area.height.saturating_sub(2));
    let (title, text, answer) = match &model.mode {
        Mode::Confirm(question) => {
            let answer = Line::styled("y yes    n no", theme.title());
            let answer = vec![Line::default(), answer];
            ("sure?", question.text.clone(), answer)
        }
        Mode::Help => {
            let lines = HELP.map(|(key, what)| format!("{key:17}{what}"));
            ("keys", lines.join("\n"), Vec::new())
        }
        Mode::Browse | Mode::Search(_) => return,
    };
    let mut lines = wrap_all(&text, inside);
    // How it is answered is there, whatever is not.
    lines.truncate(place.saturating_sub(answer.len()));
    lines.extend(answer);
    let height = u16::try_from(lines.len() + 2)
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
    Paragraph::new(lines).block(block).render(place, buffer);
}
