//! What keys do to the queue: at once, or after a question where it matters.

use pgqueuer::{JobId, Scope};

use super::{
    data::Group,
    model::{Key, Mode, Model, Page, Question},
    operation::{Operation, Target},
    update::Effect,
};

/// What there is to say of a page that is not there yet.
pub(super) const READING: &str = "it is being read…";

impl Model {
    fn ask(&mut self, text: String, operation: Operation) {
        self.mode = Mode::Confirm(Question { text, operation });
    }

    pub(super) fn pause(&mut self) -> Option<Effect> {
        let scope = match self.selected() {
            Some(Key::Kind(kind)) => Scope::Kind(kind),
            Some(Key::Queue(Some(queue))) => Scope::Queue(queue),
            Some(Key::Schedule(name)) => {
                let schedule = self.schedules.iter().find(|it| it.name == name)?;
                let paused = schedule.paused_at.is_none();
                return Some(Effect::Do(Operation::PauseSchedule { name, paused }));
            }
            _ => {
                self.refuse("kinds, queues (page 1) and schedules (page 3) are paused");
                return None;
            }
        };
        let paused = !self.is_paused(&scope);
        Some(Effect::Do(Operation::SetPaused { scope, paused }))
    }

    pub(super) fn pause_everything(&mut self) -> Option<Effect> {
        let scope = Scope::Everything;
        let paused = !self.is_paused(&scope);
        let operation = Operation::SetPaused { scope, paused };
        if !paused {
            return Some(Effect::Do(operation));
        }
        let kinds = self.overview.kinds.len();
        let text =
            format!("Pause everything: no job of {kinds} kinds is begun until it is resumed?");
        self.ask(text, operation);
        None
    }

    /// What `r`, `c` and `d` are about.
    fn target(&mut self) -> Option<Target> {
        let target = match (self.page, self.selected()) {
            (Page::Job(id), _) | (Page::Jobs, Some(Key::Job(id))) => Some(Target::Job(id)),
            (_, Some(Key::Kind(kind))) => Some(Target::All(Group::Kind(kind))),
            (_, Some(Key::Queue(Some(queue)))) => Some(Target::All(Group::Queue(queue))),
            _ => None,
        };
        match &target {
            None if !self.is_read => self.refuse(READING),
            None => self.refuse("no job, kind or queue is chosen"),
            Some(_) => {}
        }
        target
    }

    /// A job, as questions name it.
    fn name_of(&self, id: JobId) -> String {
        let listed = self.jobs.iter().find(|it| it.id == id);
        let listed = listed.map(|it| (&it.kind, it.state));
        let opened = self.job.as_ref().filter(|it| it.id == id);
        let opened = opened.and_then(|it| it.found.as_ref());
        let known = opened.map(|it| (&it.kind, it.state)).or(listed);
        known.map_or_else(
            || format!("job {id}"),
            |(kind, state)| format!("job {id} (`{kind}`, {state})"),
        )
    }

    pub(super) fn requeue(&mut self) -> Option<Effect> {
        match self.target()? {
            target @ Target::Job(_) => return Some(Effect::Do(Operation::Requeue(target))),
            Target::All(group) => self.ask_for_held(group, "Requeue", Operation::Requeue),
        }
        None
    }

    pub(super) fn discard(&mut self) {
        match self.target() {
            Some(Target::Job(id)) => {
                let text = format!("Discard {}, and delete its arguments?", self.name_of(id));
                self.ask(text, Operation::Discard(Target::Job(id)));
            }
            Some(Target::All(group)) => self.ask_for_held(group, "Discard", Operation::Discard),
            None => {}
        }
    }

    pub(super) fn cancel(&mut self) {
        match self.target() {
            Some(Target::Job(id)) => {
                let text = format!("Cancel {}?", self.name_of(id));
                self.ask(text, Operation::Cancel(Target::Job(id)));
            }
            Some(Target::All(group)) => match self.sum(&group).unfinished() {
                0 => self.refuse(format!("no job of {group} is unfinished")),
                jobs => {
                    let jobs = plural(jobs, "unfinished");
                    let text = format!("Cancel {jobs} of {group}?");
                    self.ask(text, Operation::Cancel(Target::All(group)));
                }
            },
            None => {}
        }
    }

    fn ask_for_held(&mut self, group: Group, what: &str, how: fn(Target) -> Operation) {
        match self.sum(&group).counts.held {
            0 => self.refuse(format!("no job of {group} is held")),
            held => {
                let text = format!("{what} {} of {group}?", plural(held, "held"));
                self.ask(text, how(Target::All(group)));
            }
        }
    }
}

fn plural(jobs: u64, state: &str) -> String {
    match jobs {
        1 => format!("1 {state} job"),
        _ => format!("{jobs} {state} jobs"),
    }
}
