//! What becomes of the model when a key is pressed, and what is to be done besides.

use pgqueuer::{JobId, JobState};

use super::{
    cursor::Key,
    data::{Group, JOBS, Query},
    keys::Action,
    model::{Mode, Model, Notice, Page},
    operation::Operation,
};

/// What a key wants from the world outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Read,
    /// Reads nothing any more, or goes on.
    Freeze,
    Do(Operation),
    Redraw,
    Quit,
}

impl Model {
    pub(super) fn update(&mut self, action: Action) -> Option<Effect> {
        let wanted = self.wanted();
        self.notice = None;
        let effect = self.act(action);
        if let Some(Effect::Do(_)) = effect {
            self.notice = Some(Notice::Doing);
        }
        if self.wanted() == wanted {
            return effect;
        }
        self.is_read = false;
        effect.or(Some(Effect::Read))
    }

    fn act(&mut self, action: Action) -> Option<Effect> {
        match action {
            Action::Quit => return Some(Effect::Quit),
            Action::Redraw => return Some(Effect::Redraw),
            Action::Refresh => return Some(Effect::Read),
            Action::Freeze => {
                self.is_frozen = !self.is_frozen;
                // Nothing newer is wanted now.
                self.trouble = None;
                return Some(Effect::Freeze);
            }
            Action::Help => self.mode = Mode::Help,
            Action::Open(page) => self.open(page),
            Action::NextPage => self.open(Page::TABS[(self.page.tab() + 1) % 4]),
            Action::PreviousPage => self.open(Page::TABS[(self.page.tab() + 3) % 4]),
            Action::Move(by) => self.move_by(by),
            Action::Leaf(by) => self.move_by(by * self.lines.max(1).cast_signed()),
            Action::First => self.move_by(isize::MIN),
            Action::Last => self.move_by(isize::MAX),
            Action::NextJobs => self.next_jobs(),
            Action::PreviousJobs => self.previous_jobs(),
            Action::Enter => self.enter(),
            Action::Back => self.back(),
            Action::Filter => self.filter(),
            Action::Sort if self.page == Page::Kinds => self.sort = self.sort.next(),
            Action::Sort => self.refuse("only kinds (page 1) are sorted"),
            Action::Search => self.search_from(String::new()),
            Action::Type(letter) => self.edit(|text| text.push(letter)),
            Action::Erase => self.edit(|text| {
                text.pop();
            }),
            Action::Submit => self.submit(),
            Action::Pause => return self.pause(),
            Action::PauseEverything => return self.pause_everything(),
            Action::Requeue => return self.requeue(),
            Action::Cancel => self.cancel(),
            Action::Discard => self.discard(),
            Action::Yes => return self.confirm(),
            Action::No => {
                self.mode = Mode::Browse;
                self.refuse("nothing was done");
            }
        }
        None
    }

    pub(super) fn refuse(&mut self, why: impl Into<String>) {
        self.notice = Some(Notice::Refused(why.into()));
    }

    fn open(&mut self, page: Page) {
        if self.page.tab() != page.tab() {
            self.search.clear();
        }
        self.page = page;
        self.scroll = 0;
    }

    fn list(&mut self, query: Query) {
        if self.query != query {
            self.jobs.clear();
            self.cursors[Page::Jobs.tab()] = Default::default();
        }
        if query.above.is_none() {
            self.before.clear();
        }
        self.query = query;
        self.open(Page::Jobs);
    }

    fn move_by(&mut self, by: isize) {
        if let Page::Job(_) = self.page {
            // Where the end is, is known when it is drawn.
            let scroll = self.scroll.saturating_add_signed(by);
            self.scroll = scroll.min(self.last_scroll);
            return;
        }
        let keys = self.keys();
        self.cursors[self.page.tab()].move_by(&keys, by);
    }

    fn next_jobs(&mut self) {
        let is_full = self.jobs.len() >= JOBS as usize;
        let last = self.jobs.last().map(|it| it.id);
        match (self.page, last) {
            (Page::Jobs, Some(last)) if is_full => {
                self.before.push(self.query.above);
                let above = Some(last);
                let of = self.query.of.clone();
                let state = self.query.state;
                self.list(Query { state, of, above });
            }
            (Page::Jobs, _) => self.refuse("there are no more jobs"),
            _ => {}
        }
    }

    fn previous_jobs(&mut self) {
        if self.page != Page::Jobs {
            return;
        }
        match self.before.pop() {
            Some(above) => {
                let query = self.query.clone();
                self.list(Query { above, ..query });
            }
            None => self.refuse("these are the first jobs"),
        }
    }

    fn enter(&mut self) {
        let of = match self.selected() {
            Some(Key::Kind(kind)) => Group::Kind(kind),
            Some(Key::Queue(Some(queue))) => Group::Queue(queue),
            Some(Key::Job(id)) => return self.open(Page::Job(id)),
            Some(Key::Schedule(name)) => {
                let schedule = self.schedules.iter().find(|it| it.name == name);
                let Some(schedule) = schedule else { return };
                Group::Kind(schedule.kind.clone())
            }
            Some(Key::Queue(None) | Key::Session(_)) | None => return,
        };
        self.list(Query {
            of: Some(of),
            ..Query::default()
        });
    }

    fn confirm(&mut self) -> Option<Effect> {
        let Mode::Confirm(question) = &self.mode else {
            return None;
        };
        if !question.is_seen {
            return None;
        }
        let operation = question.operation.clone().until(self.overview.at);
        self.mode = Mode::Browse;
        Some(Effect::Do(operation))
    }

    fn back(&mut self) {
        match (&self.mode, self.page) {
            (Mode::Browse, Page::Job(_)) => self.open(Page::Jobs),
            (Mode::Browse, Page::Jobs) => self.list(Query::default()),
            (Mode::Help, _) => {}
            _ => self.search.clear(),
        }
        self.mode = Mode::Browse;
    }

    fn filter(&mut self) {
        if self.page != Page::Jobs {
            return self.refuse("only jobs (page 4) are filtered by state");
        }
        let state = match self.query.state {
            None => Some(JobState::Held),
            Some(JobState::Held) => Some(JobState::Running),
            Some(JobState::Running) => Some(JobState::Available),
            Some(JobState::Available) => Some(JobState::Scheduled),
            Some(_) => None,
        };
        let of = self.query.of.clone();
        let above = None;
        self.list(Query { state, of, above });
    }

    fn search_from(&mut self, text: String) {
        if let Page::Job(_) = self.page {
            self.open(Page::Jobs);
        }
        self.mode = Mode::Search(text);
        self.search.clear();
    }

    fn edit(&mut self, edit: impl FnOnce(&mut String)) {
        if let Mode::Search(text) = &mut self.mode {
            edit(text);
            // Jobs are looked up when it is all there.
            if self.page != Page::Jobs {
                self.search.clone_from(text);
            }
        }
    }

    fn submit(&mut self) {
        let Mode::Search(text) = std::mem::replace(&mut self.mode, Mode::Browse) else {
            return;
        };
        if self.page != Page::Jobs {
            return;
        }
        let state = self.query.state;
        let of = match text.trim() {
            "" => None,
            text => match (text.parse::<JobId>(), self.group(text)) {
                (Ok(id), _) => return self.open(Page::Job(id)),
                (_, Some(group)) => Some(group),
                (_, None) => {
                    return self.refuse(format!("no kind or queue, nor one alone, has `{text}`"));
                }
            },
        };
        let above = None;
        self.list(Query { state, of, above });
    }

    /// The kind or queue of this name, or the only one that has it in its name.
    fn group(&self, text: &str) -> Option<Group> {
        let kinds = &self.overview.kinds;
        let mut all: Vec<Group> = Vec::new();
        for kind in kinds {
            all.push(Group::Kind(kind.kind.clone()));
            let queue = kind.queue.clone().map(Group::Queue);
            all.extend(queue.filter(|it| !all.contains(it)));
        }
        let name = |it: &Group| match it {
            Group::Kind(name) | Group::Queue(name) => name.clone(),
        };
        if let Some(same) = all.iter().find(|it| name(it) == text) {
            return Some(same.clone());
        }
        let mut like = all.iter().filter(|it| name(it).contains(text));
        match (like.next(), like.next()) {
            (Some(only), None) => Some(only.clone()),
            _ => None,
        }
    }
}
