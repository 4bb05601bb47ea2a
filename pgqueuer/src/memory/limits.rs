//! Limits and pauses. Mirrors `postgres/sql/claim_limited.sql` and its function.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use chrono::{DateTime, Utc};

use super::state::{Live, LiveJob, Memory};
use crate::{
    limits::{LimitRecord, Limits, Rate, Scope, SetLimit},
    store::KindRecord,
};

/// How soon to look again when all slots are taken.
const IF_FULL: Duration = Duration::from_millis(250);

/// What is limited or paused, and what was begun of it.
#[derive(Default)]
pub(super) struct Rules {
    by_scope: BTreeMap<Scope, Rule>,
    /// When the whole burst of each key can be had again.
    rates: HashMap<(String, String), DateTime<Utc>>,
}

#[derive(Default)]
struct Rule {
    of_code: Limits,
    of_hand: Vec<SetLimit>,
    paused_at: Option<DateTime<Utc>>,
    rate_at: Option<DateTime<Utc>>,
}

impl Rule {
    fn in_force(&self) -> Limits {
        let mut limits = self.of_code;
        self.of_hand.iter().for_each(|it| it.apply(&mut limits));
        limits
    }
}

/// Whether a job may begin.
pub(super) enum Verdict {
    /// It may; and whether a limit counts it.
    Begins {
        is_limited: bool,
    },
    /// A limit holds it back; in how long to look again.
    HeldBack(Duration),
    Paused,
}

impl Memory {
    pub(super) fn publish_limits(&mut self, limits: &[(Scope, Limits)]) -> bool {
        let mut is_changed = false;
        for (scope, limits) in limits {
            let rule = self.rules.by_scope.entry(scope.clone()).or_default();
            is_changed |= rule.of_code != *limits;
            rule.of_code = *limits;
        }
        is_changed
    }

    pub(super) fn set_limits(&mut self, scope: &Scope, limits: Option<&[SetLimit]>) {
        let rule = self.rules.by_scope.entry(scope.clone()).or_default();
        match limits {
            None => rule.of_hand.clear(),
            Some(limits) => rule.of_hand.extend(limits),
        }
    }

    pub(super) fn set_paused(&mut self, scope: &Scope, paused_at: Option<DateTime<Utc>>) -> bool {
        let rule = self.rules.by_scope.entry(scope.clone()).or_default();
        if rule.paused_at.is_some() == paused_at.is_some() {
            return false;
        }
        rule.paused_at = paused_at;
        true
    }

    pub(super) fn is_paused(&self, scope: &Scope) -> bool {
        let rule = self.rules.by_scope.get(scope);
        rule.is_some_and(|it| it.paused_at.is_some())
    }

    pub(super) fn list_limits(&self) -> Vec<LimitRecord> {
        let record = |(scope, rule): (&Scope, &Rule)| LimitRecord {
            scope: scope.clone(),
            limits: rule.in_force(),
            of_code: rule.of_code,
            paused_at: rule.paused_at,
        };
        let mut records: Vec<LimitRecord> = self.rules.by_scope.iter().map(record).collect();
        records
            .retain(|it| it.paused_at.is_some() || !it.limits.is_none() || !it.of_code.is_none());
        records
    }

    pub(super) fn forget_rates(&mut self, limit: u32, now: DateTime<Utc>) -> u64 {
        let over: Vec<_> = self
            .rules
            .rates
            .iter()
            .filter(|(_, at)| **at < now)
            .collect();
        let over: Vec<_> = over.into_iter().map(|(key, _)| key.clone()).collect();
        let over = over.iter().take(limit as usize);
        over.filter_map(|key| self.rules.rates.remove(key)).count() as u64
    }

    /// Whether a job that is next in line may begin.
    pub(super) fn judge(&self, job: &LiveJob, now: DateTime<Utc>) -> Verdict {
        let known = self.kinds.get(&job.kind);
        let kind = Scope::Kind(known.map_or(&job.kind, |it| &it.job).clone());
        let queue = known.map(|it| Scope::Queue(it.queue.clone()));
        let scopes = [Some(kind.clone()), queue.clone(), Some(Scope::Everything)];
        let rules = scopes
            .iter()
            .flatten()
            .filter_map(|it| self.rules.by_scope.get(it));
        if rules.clone().any(|it| it.paused_at.is_some()) {
            return Verdict::Paused;
        }
        let is_limited = rules.clone().any(|it| !it.in_force().is_none());

        let mut waits = Vec::new();
        for scope in [Some(&kind), queue.as_ref()].into_iter().flatten() {
            let Some(rule) = self.rules.by_scope.get(scope) else {
                continue;
            };
            let limits = rule.in_force();
            if is_reached(limits.concurrency, || self.running(scope).count()) {
                waits.push(IF_FULL);
            }
            waits.extend(limits.rate.and_then(|it| it.wait(rule.rate_at, now)));
        }
        let limits = self
            .rules
            .by_scope
            .get(&kind)
            .map(Rule::in_force)
            .unwrap_or_default();
        let of_key = |it: &&LiveJob| it.limit_key == job.limit_key;
        let of_key = || {
            self.started(&kind).filter(of_key).filter(|it| {
                // Where one runs at a time, a job that waits to be tried again keeps its slot.
                let keeps_slot =
                    limits.concurrency_per_key == Some(1) && it.state == Live::Scheduled;
                it.claimed_by.is_some() || keeps_slot
            })
        };
        if is_reached(limits.concurrency_per_key, || of_key().count()) {
            waits.push(IF_FULL);
        }
        let rate_at = self.rules.rates.get(&rate_key(&kind, job)).copied();
        waits.extend(limits.rate_per_key.and_then(|it| it.wait(rate_at, now)));
        match waits.into_iter().max() {
            Some(wait) => Verdict::HeldBack(wait),
            None => Verdict::Begins { is_limited },
        }
    }

    /// Notes that a job begins.
    pub(super) fn spend(&mut self, job: &LiveJob, now: DateTime<Utc>) {
        let known = self.kinds.get(&job.kind);
        let kind = Scope::Kind(known.map_or(&job.kind, |it| &it.job).clone());
        let queue = known.map(|it| Scope::Queue(it.queue.clone()));
        for scope in [Some(&kind), queue.as_ref()].into_iter().flatten() {
            if let Some(rule) = self.rules.by_scope.get_mut(scope) {
                let rate = rule.in_force().rate;
                rule.rate_at = rate.map(|it| it.spend(rule.rate_at, now)).or(rule.rate_at);
            }
        }
        let limits = self
            .rules
            .by_scope
            .get(&kind)
            .map(Rule::in_force)
            .unwrap_or_default();
        if let Some(rate) = limits.rate_per_key {
            let key = rate_key(&kind, job);
            let rate_at = self.rules.rates.get(&key).copied();
            self.rules.rates.insert(key, rate.spend(rate_at, now));
        }
    }

    /// The jobs of a scope that were begun under a limit, and are not through.
    fn started(&self, scope: &Scope) -> impl Iterator<Item = &LiveJob> {
        let is_its = move |known: &KindRecord| match scope {
            Scope::Kind(name) => known.job == *name,
            Scope::Queue(name) => known.queue == *name,
            Scope::Everything => true,
        };
        self.jobs.values().filter(move |it| {
            it.slot
                && match self.kinds.get(&it.kind) {
                    Some(known) => is_its(known),
                    None => *scope == Scope::Kind(it.kind.clone()),
                }
        })
    }

    fn running(&self, scope: &Scope) -> impl Iterator<Item = &LiveJob> {
        self.started(scope).filter(|it| it.claimed_by.is_some())
    }

    pub(super) fn adopt(&mut self) -> u64 {
        let mut adopted = 0;
        let ids: Vec<_> = self.jobs.keys().copied().collect();
        for id in ids {
            let Some(job) = self.jobs.get(&id).filter(|it| it.state == Live::Available) else {
                continue;
            };
            let Some(known) = self.kinds.get(&job.kind) else {
                continue;
            };
            let limits = |scope| {
                self.rules
                    .by_scope
                    .get(&scope)
                    .map(Rule::in_force)
                    .unwrap_or_default()
            };
            let of_kind = limits(Scope::Kind(known.job.clone()));
            let of_queue = limits(Scope::Queue(known.queue.clone()));
            let is_limited = !of_kind.is_none() || !of_queue.is_none();
            let lacks_slot = is_limited && job.claimed_by.is_some() && !job.slot;
            let lacks_key = of_kind.is_keyed() && job.limit_key.is_none();
            if let Some(job) = self.jobs.get_mut(&id).filter(|_| lacks_slot || lacks_key) {
                job.slot |= lacks_slot;
                if lacks_key {
                    job.limit_key = Some("null".to_owned());
                }
                adopted += 1;
            }
        }
        adopted
    }
}

fn is_reached(limit: Option<u32>, count: impl Fn() -> usize) -> bool {
    limit.is_some_and(|limit| count() >= limit as usize)
}

fn rate_key(kind: &Scope, job: &LiveJob) -> (String, String) {
    let (_, name) = kind.as_parts();
    (name.to_owned(), job.limit_key.clone().unwrap_or_default())
}

impl Rate {
    /// In how long one more may begin; `None` if it may now. As `pgqueuer.tokens` in the schema.
    fn wait(&self, rate_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<Duration> {
        let missing = 1.0 - self.tokens(rate_at, now);
        (missing > 1e-6).then(|| Duration::from_secs_f64(missing * self.interval()))
    }

    /// How many may begin now.
    fn tokens(&self, rate_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> f64 {
        let burst = f64::from(self.burst);
        let ahead = rate_at.map_or(0.0, |it| (it - now).as_seconds_f64().max(0.0));
        burst - (ahead / self.interval()).min(burst)
    }

    /// When the whole burst can be had again, once one has begun.
    fn spend(&self, rate_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> DateTime<Utc> {
        let spent = f64::from(self.burst) - self.tokens(rate_at, now) + 1.0;
        now + Duration::from_secs_f64(spent * self.interval())
    }
}
