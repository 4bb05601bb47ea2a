//! What stands out, and how.

use ratatui::style::{Color, Modifier, Style};

/// With colours or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands::dashboard) enum Theme {
    Plain,
    Coloured,
}

impl Theme {
    fn coloured(self, style: Style, color: Color) -> Style {
        match self {
            Self::Plain => style,
            Self::Coloured => style.fg(color),
        }
    }

    pub(super) fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// What is there, and need not be read.
    pub(super) fn quiet(self) -> Style {
        self.coloured(Style::new(), Color::DarkGray)
    }

    pub(super) fn good(self) -> Style {
        self.coloured(Style::new(), Color::Green)
    }

    /// Somebody has stopped this on purpose, or slowed it.
    pub(super) fn paused(self) -> Style {
        self.coloured(Style::new(), Color::Yellow)
    }

    /// Somebody should look at this.
    pub(super) fn bad(self) -> Style {
        self.coloured(Style::new().add_modifier(Modifier::BOLD), Color::Red)
    }
}
