//! Where results go: one type, so that `--format json` comes for free.

use std::{
    borrow::Cow,
    fmt,
    io::{self, Write},
};

use serde::Serialize;

use crate::exit::Failure;

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    // Plain comments, so that the help lists the values on one line.
    #[default]
    Table,
    Json,
}

/// Results go to standard output, everything else to standard error.
pub(crate) struct Output<'a> {
    to: &'a mut (dyn Write + Send),
    format: Format,
}

impl<'a> Output<'a> {
    pub(crate) fn new(to: &'a mut (dyn Write + Send), format: Format) -> Self {
        Self { to, format }
    }

    /// Writes a result: its `Display` for people, its JSON for programs.
    pub(crate) fn result<T: Serialize + fmt::Display>(&mut self, value: &T) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.text(&visible(&value.to_string())),
            Format::Json => self.json(value),
        }
    }

    /// Writes JSON, whatever the format.
    pub(crate) fn json<T: Serialize>(&mut self, value: &T) -> Result<(), Failure> {
        let json = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
        self.text(&escaped(&json))
    }

    /// Writes one of many results that come one by one: a line each, in JSON as well. `false` if nobody
    /// reads them any more.
    pub(crate) fn line<T: Serialize + fmt::Display>(&mut self, value: &T) -> Result<bool, Failure> {
        match self.format {
            Format::Table => self.write(&visible(&value.to_string())),
            Format::Json => self.json_line(value),
        }
    }

    /// The same, JSON whatever the format.
    pub(crate) fn json_line<T: Serialize>(&mut self, value: &T) -> Result<bool, Failure> {
        let json = serde_json::to_string(value).map_err(io::Error::other)?;
        self.write(&escaped(&json))
    }

    /// Writes text as it is, whatever the format, and ends its last line.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.write(text.trim_end_matches('\n')).map(drop)
    }

    fn write(&mut self, text: &str) -> Result<bool, Failure> {
        let written = writeln!(self.to, "{text}").and_then(|()| self.to.flush());
        match written {
            Ok(()) => Ok(true),
            // The reader has seen enough, as in `pgq sql | head`.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// What jobs say of themselves (failures, notes, headers) may be made to move the cursor, or to set the title of
/// the window: whatever a terminal would obey is shown instead.
fn visible(text: &str) -> Cow<'_, str> {
    replace_controls(text, |it| it.escape_default().to_string())
}

/// The same in JSON, where what comes after ASCII is left, and can only be within strings.
fn escaped(json: &str) -> Cow<'_, str> {
    replace_controls(json, |it| format!("\\u{:04x}", u32::from(it)))
}

fn replace_controls(text: &str, by: impl Fn(char) -> String) -> Cow<'_, str> {
    let is_obeyed = |it: char| it.is_control() && !matches!(it, '\n' | '\t');
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for it in text.chars() {
        if is_obeyed(it) {
            shown += &by(it);
        } else {
            shown.push(it);
        }
    }
    Cow::Owned(shown)
}

/// Tells people something that is not the result.
pub(crate) fn note(text: impl fmt::Display) {
    // Nobody is left to be told that standard error is closed.
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert_eq!(
            visible("a\x1b]0;b\x07\rc\u{9b}\n\td"),
            "a\\u{1b}]0;b\\u{7}\\rc\\u{9b}\n\td"
        );
        assert!(matches!(visible("größer\n"), Cow::Borrowed(_)));
        let json = serde_json::to_string("\x1b\x7f\u{9b}").unwrap();
        assert_eq!(escaped(&json), r#""\u001b\u007f\u009b""#);
    }
}
