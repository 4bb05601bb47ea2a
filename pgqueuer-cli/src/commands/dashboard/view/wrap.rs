//! Text in rows that fit. Who scrolls them, or puts them in a box, has to know how many there are.

use ratatui::{buffer::CellWidth as _, text::Line};

/// A line in rows that are no wider than this: broken at spaces, or within a word that is too long.
pub(super) fn wrap(line: &str, width: u16) -> Vec<&str> {
    let mut rows = Vec::new();
    let mut rest = line;
    while let Some((row, after)) = split(rest, width) {
        rows.push(row);
        rest = after;
    }
    rows.push(rest);
    rows
}

/// The first row of a line that needs more than one, and what comes after.
fn split(line: &str, width: u16) -> Option<(&str, &str)> {
    let mut used = 0;
    let mut has_word = false;
    let mut space = None;
    for (at, letter) in line.char_indices() {
        match letter {
            // What indents a line stays with its first word.
            ' ' if has_word => space = Some(at),
            ' ' => {}
            _ => has_word = true,
        }
        used += usize::from(width_of(letter));
        if used > width.into() && at > 0 {
            let (row, after) = line.split_at(space.unwrap_or(at));
            return Some((row, after.trim_start()));
        }
    }
    None
}

/// As the screen counts it, where control characters are left out.
fn width_of(letter: char) -> u16 {
    match letter.is_control() {
        true => 0,
        false => letter.encode_utf8(&mut [0; 4]).cell_width(),
    }
}

/// The same of a text.
pub(super) fn wrap_all(text: &str, width: u16) -> Vec<Line<'_>> {
    let rows = text.lines().flat_map(|it| wrap(it, width));
    rows.map(Line::raw).collect()
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_are_broken_at_spaces_or_where_they_must_be() {
        for (line, width, rows) in [
            ("", 5, &[""][..]),
            ("one two", 7, &["one two"]),
            ("one two", 6, &["one", "two"]),
            ("one two", 3, &["one", "two"]),
            ("  indented", 6, &["  inde", "nted"]),
            ("a longword", 4, &["a", "long", "word"]),
            ("日本語", 4, &["日本", "語"]),
            ("日本", 1, &["日", "本"]),
            ("ab", 0, &["a", "b"]),
        ] {
            assert_eq!(wrap(line, width), rows, "{line} in {width}");
        }
    }
}
