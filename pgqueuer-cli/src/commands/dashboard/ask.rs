//! What keys do to the queue: at once, or after a question where it matters.

use pgqueuer::{JobId, Scope};

use super::{
    cursor::Key,
    data::Group,
    model::{Mode, Model, Page, Question},
    operation::{Operation, Target},
    update::Effect,
};

/// What there is to say of a page that is not there yet.
pub(super) const READING: &str = "it is being read…";

impl Model {
    /// Asks whether this is to be done, or says why there is nothing to do.
    fn ask(&mut self, operation: Operation) {
        match self.question(&operation) {
            Ok(text) => {
                self.mode = Mode::Confirm(Question {
                    text,
                    operation,
                    is_seen: false,
                });
            }
            Err(why) => {
                self.mode = Mode::Browse;
                self.refuse(why);
            }
        }
    }

    /// Asks what is open by what is known now: it is to hold when somebody agrees.
    pub(super) fn ask_again(&mut self) {
        if let Mode::Confirm(question) = &self.mode {
            let operation = question.operation.clone();
            self.ask(operation);
        }
    }

    fn question(&self, operation: &Operation) -> Result<String, String> {
        match operation {
            Operation::Requeue(target) => self.question_of_held("Requeue", target),
            Operation::Discard(Target::Job(id)) => {
                let job = self.name_of(*id);
                Ok(format!("Discard {job}, and delete its arguments?"))
            }
            Operation::Discard(target) => self.question_of_held("Discard", target),
            Operation::Cancel(Target::Job(id)) => Ok(format!("Cancel {}?", self.name_of(*id))),
            Operation::Cancel(Target::All(group) | Target::Before(group, _)) => {
                match self.sum(group).unfinished() {
                    0 => Err(format!("no job of {group} is unfinished")),
                    jobs => {
                        let jobs = plural(jobs, "unfinished");
                        Ok(format!("Cancel {jobs} of {group}?"))
                    }
                }
            }
            // Nobody is asked about others than everything.
            Operation::SetPaused { .. } | Operation::PauseSchedule { .. } => {
                let kinds = self.overview.kinds.len();
                Ok(format!(
                    "Pause everything: no job of {kinds} kinds is begun until it is resumed?"
                ))
            }
        }
    }

    fn question_of_held(&self, what: &str, target: &Target) -> Result<String, String> {
        let group = match target {
            Target::Job(id) => return Ok(format!("{what} {}?", self.name_of(*id))),
            Target::All(group) | Target::Before(group, _) => group,
        };
        match self.sum(group).counts.held {
            0 => Err(format!("no job of {group} is held")),
            held => Ok(format!("{what} {} of {group}?", plural(held, "held"))),
        }
    }

    /// Says why nothing is chosen.
    fn refuse_without(&mut self, needed: &str) {
        let gone = self.cursors[self.page.tab()].gone();
        let why = match gone.map(|it| format!("{it} is gone")) {
            Some(gone) => gone,
            None if !self.is_read => READING.to_owned(),
            None => needed.to_owned(),
        };
        self.refuse(why);
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
                self.refuse_without("kinds, queues (page 1) and schedules (page 3) are paused");
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
        self.ask(operation);
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
        if target.is_none() {
            self.refuse_without("no job, kind or queue is chosen");
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
            target => self.ask(Operation::Requeue(target)),
        }
        None
    }

    pub(super) fn discard(&mut self) {
        if let Some(target) = self.target() {
            self.ask(Operation::Discard(target));
        }
    }

    pub(super) fn cancel(&mut self) {
        if let Some(target) = self.target() {
            self.ask(Operation::Cancel(target));
        }
    }
}

fn plural(jobs: u64, state: &str) -> String {
    match jobs {
        1 => format!("1 {state} job"),
        _ => format!("{jobs} {state} jobs"),
    }
}
