//! Which key asks for what.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::model::{Mode, Page};

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Quit,
    Help,
    Open(Page),
    NextPage,
    PreviousPage,
    /// Moves by so many lines, up if negative.
    Move(isize),
    /// Moves by whole screens.
    Leaf(isize),
    First,
    Last,
    /// The next jobs of a long list, and those before.
    NextJobs,
    PreviousJobs,
    Enter,
    Back,
    Filter,
    Sort,
    Pause,
    PauseEverything,
    Requeue,
    Cancel,
    Discard,
    Refresh,
    /// Stops reading by itself, or goes on.
    Freeze,
    /// Draws everything anew, after something else has written to the terminal.
    Redraw,
    Search,
    Type(char),
    Erase,
    Submit,
    Yes,
    No,
}

/// What a key asks for while the dashboard is in this mode.
pub(super) fn action(key: KeyEvent, mode: &Mode) -> Option<Action> {
    // Esc and a letter soon after it come as that letter with ALT: neither was meant so.
    if key.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    let has_control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        // A terminal that is read key by key makes no signal of it.
        KeyCode::Char('c') if has_control => return Some(Action::Quit),
        KeyCode::Char('l') if has_control => return Some(Action::Redraw),
        KeyCode::Char(_) if has_control => return None,
        _ => {}
    }
    match mode {
        Mode::Browse => browse(key.code),
        Mode::Search(_) => search(key.code),
        Mode::Confirm(_) => confirm(key.code),
        Mode::Help => Some(Action::Back),
    }
}

fn browse(code: KeyCode) -> Option<Action> {
    Some(match code {
        KeyCode::Char('q') => Action::Quit,
        KeyCode::Char('?') => Action::Help,
        KeyCode::Char('1') => Action::Open(Page::Kinds),
        KeyCode::Char('2') => Action::Open(Page::Workers),
        KeyCode::Char('3') => Action::Open(Page::Schedules),
        KeyCode::Char('4') => Action::Open(Page::Jobs),
        KeyCode::Tab => Action::NextPage,
        KeyCode::BackTab => Action::PreviousPage,
        KeyCode::Up | KeyCode::Char('k') => Action::Move(-1),
        KeyCode::Down | KeyCode::Char('j') => Action::Move(1),
        KeyCode::PageUp => Action::Leaf(-1),
        KeyCode::PageDown => Action::Leaf(1),
        KeyCode::Home | KeyCode::Char('g') => Action::First,
        KeyCode::End | KeyCode::Char('G') => Action::Last,
        KeyCode::Right | KeyCode::Char('n') => Action::NextJobs,
        KeyCode::Left | KeyCode::Char('b') => Action::PreviousJobs,
        KeyCode::Enter => Action::Enter,
        KeyCode::Esc => Action::Back,
        KeyCode::Char('/') => Action::Search,
        KeyCode::Char('f') => Action::Filter,
        KeyCode::Char('s') => Action::Sort,
        KeyCode::Char('p') => Action::Pause,
        KeyCode::Char('P') => Action::PauseEverything,
        KeyCode::Char('r') => Action::Requeue,
        KeyCode::Char('c') => Action::Cancel,
        KeyCode::Char('d') => Action::Discard,
        KeyCode::Char('u') => Action::Refresh,
        KeyCode::Char(' ') => Action::Freeze,
        _ => return None,
    })
}

fn search(code: KeyCode) -> Option<Action> {
    Some(match code {
        KeyCode::Char(letter) => Action::Type(letter),
        KeyCode::Backspace => Action::Erase,
        KeyCode::Enter => Action::Submit,
        KeyCode::Esc => Action::Back,
        _ => return None,
    })
}

/// Enter does nothing: it is pressed too easily.
fn confirm(code: KeyCode) -> Option<Action> {
    match code {
        KeyCode::Char('y' | 'Y') => Some(Action::Yes),
        KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc => Some(Action::No),
        _ => None,
    }
}

/// The keys and what they do, as the help lists them.
pub(super) const HELP: [(&str, &str); 18] = [
    ("1 2 3 4, tab", "kinds, workers, schedules, jobs"),
    ("arrows, j k", "move; page up and down, home and end (g G)"),
    ("enter", "of a kind or queue: its jobs; of a job: its page"),
    ("esc", "back; ends a search or filter"),
    ("/", "search by name; among jobs by id, kind or queue"),
    ("f", "jobs: in which state"),
    ("s", "kinds: in which order; by queue they have sums"),
    ("right left, n b", "jobs: the next hundred, those before"),
    ("p", "pause or resume the kind, queue or schedule"),
    ("P", "pause everything (asks), or resume it"),
    ("r", "requeue the job, or what is held of a kind (asks)"),
    ("c", "cancel the job (asks), or all of a kind or queue"),
    ("d", "discard the held job (asks), or all that are held"),
    ("u", "read now"),
    ("space", "stop reading by itself, or go on"),
    ("ctrl-l", "draw everything anew"),
    ("?", "this help"),
    ("q, ctrl-c", "quit"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::dashboard::{model::Question, operation::Operation};

    fn pressed(code: KeyCode, mode: &Mode) -> Option<Action> {
        action(KeyEvent::new(code, KeyModifiers::NONE), mode)
    }

    #[test]
    fn letters_are_text_while_one_searches() {
        let mode = Mode::Search(String::new());
        assert_eq!(pressed(KeyCode::Char('q'), &mode), Some(Action::Type('q')));
        assert_eq!(
            pressed(KeyCode::Char('q'), &Mode::Browse),
            Some(Action::Quit)
        );
    }

    #[test]
    fn control_c_quits_from_anywhere() {
        let key = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        for mode in [Mode::Browse, Mode::Search(String::new()), Mode::Help] {
            assert_eq!(action(key, &mode), Some(Action::Quit));
        }
        let other = KeyEvent::new(KeyCode::Char('d'), KeyModifiers::CONTROL);
        assert_eq!(action(other, &Mode::Browse), None);
    }

    #[test]
    fn nothing_is_confirmed_by_accident() {
        let mode = Mode::Confirm(Question {
            text: String::new(),
            operation: Operation::SetPaused {
                scope: pgqueuer::Scope::Everything,
                paused: true,
            },
            is_seen: true,
        });
        assert_eq!(pressed(KeyCode::Enter, &mode), None);
        assert_eq!(pressed(KeyCode::Char(' '), &mode), None);
        assert_eq!(pressed(KeyCode::Char('y'), &mode), Some(Action::Yes));
        assert_eq!(pressed(KeyCode::Esc, &mode), Some(Action::No));
        // Esc, and then `y` at once.
        let alt = KeyEvent::new(KeyCode::Char('y'), KeyModifiers::ALT);
        assert_eq!(action(alt, &mode), None);
    }
}
