//! Tables that fit: the columns that matter least are left out first.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Line};

use super::Theme;
use crate::commands::dashboard::cursor::Chosen;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    title: &'static str,
    is_right: bool,
    /// Those with the highest go first; those with zero stay.
    rank: u8,
    /// How narrow it may get; `None` for as wide as what is in it.
    narrowest: Option<u16>,
}

/// A column of numbers.
pub(super) const fn number(title: &'static str, rank: u8) -> Column {
    Column {
        title,
        is_right: true,
        rank,
        narrowest: None,
    }
}

/// A column of short words.
pub(super) const fn word(title: &'static str, rank: u8) -> Column {
    Column {
        title,
        is_right: false,
        rank,
        narrowest: None,
    }
}

/// A column of text, which is cut where there is no place.
pub(super) const fn text(title: &'static str, rank: u8, narrowest: u16) -> Column {
    Column {
        title,
        is_right: false,
        rank,
        narrowest: Some(narrowest),
    }
}

/// A line of a table.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) cells: Vec<String>,
    pub(super) style: Style,
}

#[derive(Debug)]
pub(super) struct Table<'a> {
    pub(super) columns: &'a [Column],
    pub(super) rows: Vec<Row>,
    pub(super) chosen: Option<Chosen>,
    /// What to say if there are no rows.
    pub(super) if_empty: String,
}

/// The columns that are shown.
struct Shown {
    /// Which, and how wide.
    columns: Vec<(usize, u16)>,
    gap: u16,
}

/// For the mark of the line that is chosen.
const MARGIN: u16 = 2;

/// What is between columns, where there is no place for [`WIDE_GAP`].
const GAP: u16 = 1;
const WIDE_GAP: u16 = 2;

impl Table<'_> {
    /// Which columns fit, and how wide they are.
    fn fit(&self, width: u16) -> Shown {
        let widest = |column: usize| {
            let cells = self.rows.iter().map(|it| width_of(&it.cells[column]));
            cells.max().unwrap_or(0)
        };
        // Each with what it would like, and what it needs.
        let mut shown: Vec<(usize, u16, u16)> = Vec::new();
        for (index, column) in self.columns.iter().enumerate() {
            let content = widest(index);
            if content == 0 {
                continue;
            }
            let likes = content.max(width_of(column.title));
            let needs = column.narrowest.map_or(likes, |it| likes.min(it));
            shown.push((index, likes, needs));
        }
        let place = width.saturating_sub(MARGIN);
        let gaps = |shown: &[_]| u16::try_from(shown.len().saturating_sub(1)).unwrap_or(0);
        let liked: u16 = shown.iter().map(|(_, likes, _)| likes).sum();
        if liked + gaps(&shown) * WIDE_GAP <= place {
            let columns = shown.iter().map(|(index, likes, _)| (*index, *likes));
            return Shown {
                columns: columns.collect(),
                gap: WIDE_GAP,
            };
        }
        let needed = |shown: &[(usize, u16, u16)]| {
            let sum: u16 = shown.iter().map(|(.., needs)| needs).sum();
            sum + gaps(shown) * GAP
        };
        while needed(&shown) > place {
            let ranks = shown.iter().map(|(index, ..)| self.columns[*index].rank);
            let Some(worst) = ranks.max().filter(|it| *it > 0) else {
                break;
            };
            let last = shown
                .iter()
                .rposition(|it| self.columns[it.0].rank == worst);
            last.map(|it| shown.remove(it));
        }
        let mut left = place.saturating_sub(needed(&shown));
        let widen = |(index, likes, needs): (usize, u16, u16)| {
            let more = (likes - needs).min(left);
            left -= more;
            (index, needs + more)
        };
        Shown {
            columns: shown.into_iter().map(widen).collect(),
            gap: GAP,
        }
    }

    pub(super) fn draw(&self, theme: Theme, area: Rect, buffer: &mut Buffer) {
        if self.rows.is_empty() {
            let place = Rect {
                x: area.x + MARGIN,
                width: area.width.saturating_sub(MARGIN),
                ..area
            };
            return put(&self.if_empty, theme.quiet(), place, buffer);
        }
        let shown = self.fit(area.width);
        let titles = self.columns.iter().map(|it| it.title.to_owned());
        let titles: Vec<String> = titles.collect();
        let mut lines = area.rows();
        if let Some(line) = lines.next() {
            self.line(&titles, &shown, theme.title(), line, buffer);
        }
        // By whole screens: a slow line need not carry all of it at each step.
        let height = usize::from(area.height.saturating_sub(1)).max(1);
        let first = self.chosen.map_or(0, |it| it.index / height * height);
        let first = first.min(self.rows.len().saturating_sub(height));
        let marked = self.chosen.filter(|it| !it.is_gone).map(|it| it.index);
        for ((index, row), line) in self.rows.iter().enumerate().skip(first).zip(lines) {
            self.line(&row.cells, &shown, row.style, line, buffer);
            if marked == Some(index) {
                buffer.set_string(line.x, line.y, ">", Style::new());
                buffer.set_style(line, theme.chosen());
            }
        }
    }

    fn line(&self, cells: &[String], shown: &Shown, style: Style, at: Rect, buffer: &mut Buffer) {
        let mut x = at.x + MARGIN;
        for (index, width) in &shown.columns {
            let place = at.right().saturating_sub(x).min(*width);
            let text = cells.get(*index).map_or("", String::as_str);
            let indent = match self.columns[*index].is_right {
                true => place.saturating_sub(width_of(text)),
                false => 0,
            };
            put(
                text,
                style,
                Rect::new(x + indent, at.y, place - indent, 1),
                buffer,
            );
            x += width + shown.gap;
        }
    }
}

/// Writes text where it belongs; if it is longer, it ends in `…`.
pub(super) fn put(text: &str, style: Style, at: Rect, buffer: &mut Buffer) {
    if at.width == 0 || at.y >= buffer.area.bottom() {
        return;
    }
    let is_cut = width_of(text) > at.width;
    let place = at.width - u16::from(is_cut);
    let (end, _) = buffer.set_stringn(at.x, at.y, text, place.into(), style);
    if is_cut {
        buffer.set_string(end, at.y, "…", style);
    }
}

/// Wider than any terminal; and sums of some of them are still numbers.
const WIDEST: usize = 2000;

fn width_of(text: &str) -> u16 {
    u16::try_from(Line::raw(text).width().min(WIDEST)).unwrap_or(0)
}
