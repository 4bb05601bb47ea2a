//! Two stores in step. What one of them may decide for itself is not left to it: a claim that
//! would take some jobs of equal rank takes all of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    time::Duration,
};

use pgqueuer::{
    Result,
    store::{Look, Store},
};

use super::{
    side::{Claiming, Settling, Side},
    step::{End, KINDS, Step},
    view::{Claimed, Number, Reply},
};
use crate::support::LONG;

/// More than there are.
const ALL: u32 = 1000;

pub(super) struct Pair<'a> {
    memory: Side<'a>,
    postgres: Side<'a>,
    jobs: Vec<&'static str>,
    sessions: usize,
    claims: Vec<Claim>,
    /// By job, which of the claims has it.
    holders: BTreeMap<Number, Number>,
    /// Kinds with several jobs that became available at once, in whatever order.
    tied: BTreeSet<&'static str>,
}

#[derive(Clone, Copy)]
struct Claim {
    job: Number,
    claim_number: i32,
    session: Number,
}

/// Does the same on both sides, and compares the replies.
macro_rules! both {
    ($pair:expr, $side:ident => $call:expr) => {{
        let $side = &mut $pair.memory;
        let memory = replied($call.await);
        let $side = &mut $pair.postgres;
        let postgres = replied($call.await);
        same(memory, postgres)
    }};
}

impl<'a> Pair<'a> {
    pub(super) fn new(memory: &'a dyn Store, postgres: &'a dyn Store) -> Self {
        Self {
            memory: Side::new(memory),
            postgres: Side::new(postgres),
            jobs: Vec::new(),
            sessions: 0,
            claims: Vec::new(),
            holders: BTreeMap::new(),
            tied: BTreeSet::new(),
        }
    }

    /// Returns the first difference, with the step.
    pub(super) async fn run(&mut self, steps: &[Step]) -> Result<(), String> {
        for (number, step) in steps.iter().enumerate() {
            let at = |problem| format!("step {number}, {step:?}: {problem}");
            self.step(step).await.map_err(at)?;
            let memory = self.memory.counts().await;
            let postgres = self.postgres.counts().await;
            same(memory.ok(), postgres.ok())
                .map_err(|it| at(format!("what is counted afterwards: {it}")))?;
        }
        let memory = self.memory.contents().await.map_err(|it| it.to_string())?;
        let postgres = self.postgres.contents().await;
        let postgres = postgres.map_err(|it| it.to_string())?;
        for (number, pair) in memory.jobs.iter().zip(&postgres.jobs).enumerate() {
            same(pair.0, pair.1).map_err(|it| format!("job {number} at the end: {it}"))?;
        }
        same(memory, postgres).map_err(|it| format!("what there is at the end: {it}"))?;
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Enqueue(new) => {
                both!(self, side => side.enqueue(new))?;
                self.jobs.extend(new.iter().map(|it| KINDS[it.kind]));
            }
            Step::Open => {
                both!(self, side => side.open())?;
                self.sessions += 1;
            }
            Step::Renew(pick) => return self.renew(*pick, LONG).await,
            Step::Expire(pick) => return self.renew(*pick, Duration::ZERO).await,
            Step::Close { session, is_unsure } => return self.close(*session, *is_unsure).await,
            Step::Claim {
                session,
                kinds,
                limit,
                bounds,
                look,
            } => return self.claim(*session, *kinds, *limit, bounds, *look).await,
            Step::Settle { session, ends } => return self.settle(*session, ends).await,
            Step::Reconcile { session, forgotten } => {
                return self.reconcile(*session, *forgotten).await;
            }
            Step::Rescue => return self.rescue().await,
            Step::Promote(limit) => drop(both!(self, side => side.promote(*limit))?),
            Step::RequeueStranded => drop(both!(self, side => side.requeue_stranded())?),
            Step::Prune(limit) => drop(both!(self, side => side.prune(*limit))?),
            Step::PublishKind {
                kind,
                max_attempts,
                discards,
                retains,
            } => {
                both!(self, side => side.publish(*kind, *max_attempts, *discards, *retains))?;
            }
            Step::PublishSchedule {
                kind,
                rule,
                overlaps,
            } => {
                both!(self, side => side.publish_schedule(*kind, *rule, *overlaps))?;
            }
            Step::Tick {
                kind,
                revision,
                slot,
            } => {
                let reply = both!(self, side => side.tick(*kind, *revision, *slot))?;
                if let Reply::Ticked(ticked) = reply {
                    let enqueued = ticked.iter().filter(|it| it.1);
                    self.jobs.extend(enqueued.map(|_| KINDS[*kind]));
                }
            }
            Step::PauseSchedule { kind, paused } => {
                drop(both!(self, side => side.pause_schedule(*kind, *paused))?);
            }
            Step::AddMinutes(minutes) => drop(both!(self, side => side.add_minutes(minutes))?),
            Step::ListMinutes(ago) => drop(both!(self, side => side.list_minutes(*ago))?),
            Step::ForgetMinutes(ago) => drop(both!(self, side => side.forget_minutes(*ago))?),
        }
        Ok(())
    }

    async fn renew(&mut self, pick: u8, lease: Duration) -> Result<(), String> {
        if let Some(session) = self.session(pick) {
            both!(self, side => side.renew(session, lease))?;
        }
        Ok(())
    }

    async fn close(&mut self, pick: u8, is_unsure: bool) -> Result<(), String> {
        let Some(session) = self.session(pick) else {
            return Ok(());
        };
        // Claims that are over may be among them: a worker may not have heard of it.
        let theirs = |it: &Number| self.claims[*it].session == session;
        let known: Vec<Number> = (0..self.claims.len()).filter(theirs).collect();
        let known = (!is_unsure).then_some(known.as_slice());
        both!(self, side => side.close(session, known))?;
        let held = self.held_by(session);
        self.release(&held);
        Ok(())
    }

    async fn claim(
        &mut self,
        pick: u8,
        kinds: u8,
        limit: u32,
        bounds: &[(usize, u32)],
        look: Look,
    ) -> Result<(), String> {
        let Some(session) = self.session(pick) else {
            return Ok(());
        };
        let is_wanted = |kind: &usize| kinds & (1 << kind) != 0;
        let kinds: Vec<usize> = (0..KINDS.len()).filter(is_wanted).collect();
        let of_kind: BTreeMap<usize, u32> = bounds.iter().copied().collect();
        let of_kind = of_kind.into_iter().filter(|(kind, _)| kinds.contains(kind));
        let mut claiming = Claiming {
            session,
            kinds: kinds.iter().map(|it| KINDS[*it]).collect(),
            limit,
            bounds: of_kind.map(|(kind, it)| ([KINDS[kind]], it)).collect(),
            look,
        };
        // Only a look everywhere finds all that there is. After others it is done once more, for
        // what they have missed, which nobody says.
        let is_whole = look == Look::Everywhere;
        let is_tied = claiming.kinds.iter().any(|it| self.tied.contains(it));
        if is_tied || !is_whole {
            claiming.limit = ALL;
            claiming.bounds.clear();
        }

        let mut memory = self.memory.claim(&claiming).await;
        let mut postgres = self.postgres.claim(&claiming).await;
        if let (false, Ok(claimed), Ok(_)) = (is_whole, &mut postgres, &memory) {
            claiming.look = Look::Everywhere;
            match self.postgres.claim(&claiming).await {
                Ok(more) => claimed.extend(more),
                Err(error) => postgres = Err(error),
            }
            self.postgres.renumber(claimed_count(&memory));
        }
        if is_tied || !is_whole {
            for claimed in [&mut memory, &mut postgres].into_iter().flatten() {
                claimed.sort_by_key(|it| it.job);
            }
            if memory.as_ref().is_ok_and(|it| !it.is_empty()) {
                self.tied.retain(|it| !claiming.kinds.contains(it));
            }
        }
        let reply = same(
            replied(memory.map(Reply::Claimed)),
            replied(postgres.map(Reply::Claimed)),
        )?;
        if let Reply::Claimed(mut claimed) = reply {
            claimed.sort_by_key(|it| it.job);
            self.note(session, &claimed);
        }
        Ok(())
    }

    fn note(&mut self, session: Number, claimed: &[Claimed]) {
        for it in claimed {
            self.holders.insert(it.job, self.claims.len());
            self.claims.push(Claim {
                job: it.job,
                claim_number: it.claim_number,
                session,
            });
        }
    }

    async fn settle(&mut self, pick: Option<u8>, ends: &[End]) -> Result<(), String> {
        let count = self.claims.len();
        let latest = |it: &End| count.checked_sub(1 + usize::from(it.claim) % count.max(1));
        let settling: Vec<Settling> = ends
            .iter()
            .filter_map(|it| {
                latest(it).map(|claim| Settling {
                    claim,
                    disposition: it.disposition,
                    fails: it.fails,
                    knows_place: it.knows_place,
                })
            })
            .collect();
        let own = settling.first().map(|it| self.claims[it.claim].session);
        let Some(session) = pick.map_or(own, |it| self.session(it)) else {
            return Ok(());
        };
        let reply = both!(self, side => side.settle(session, &settling))?;
        let Reply::Refused(refused) = reply else {
            return Ok(());
        };
        let is_refused = |it: &Claim| refused.contains(&(it.job, it.claim_number));
        let settled: BTreeSet<Number> = settling
            .iter()
            .map(|it| it.claim)
            .filter(|it| !is_refused(&self.claims[*it]))
            .collect();
        self.release(&settled.into_iter().collect::<Vec<_>>());
        Ok(())
    }

    async fn reconcile(&mut self, pick: u8, forgotten: u8) -> Result<(), String> {
        let Some(session) = self.session(pick) else {
            return Ok(());
        };
        let mut known = self.held_by(session);
        let forgotten = known.len().min(usize::from(forgotten));
        let forgotten = known.split_off(known.len() - forgotten);
        both!(self, side => side.reconcile(session, &known))?;
        self.release(&forgotten);
        Ok(())
    }

    async fn rescue(&mut self) -> Result<(), String> {
        let reply = both!(self, side => side.rescue())?;
        if let Reply::Crashes(crashes) = reply {
            let claim = |crash: &(Number, _, _, _)| self.holders.get(&crash.0).copied();
            let freed: Vec<Number> = crashes.iter().filter_map(claim).collect();
            self.release(&freed);
        }
        Ok(())
    }

    /// These claims are over, all at once.
    fn release(&mut self, claims: &[Number]) {
        let mut seen = BTreeSet::new();
        for claim in claims {
            let job = self.claims[*claim].job;
            if self.holders.get(&job) == Some(claim) {
                self.holders.remove(&job);
            }
            if !seen.insert(self.jobs[job]) {
                self.tied.insert(self.jobs[job]);
            }
        }
    }

    fn held_by(&self, session: Number) -> Vec<Number> {
        let held = self.holders.values().copied();
        held.filter(|it| self.claims[*it].session == session)
            .collect()
    }

    fn session(&self, pick: u8) -> Option<Number> {
        (self.sessions > 0).then(|| usize::from(pick) % self.sessions)
    }
}

fn claimed_count(claimed: &Result<Vec<Claimed>>) -> usize {
    claimed.as_ref().map_or(0, Vec::len)
}

fn replied(outcome: Result<Reply>) -> Reply {
    outcome.unwrap_or_else(|error| Reply::Failed(format!("{error:?}")))
}

fn same<T: PartialEq + Debug>(memory: T, postgres: T) -> Result<T, String> {
    if memory == postgres {
        return Ok(postgres);
    }
    let both = [memory, postgres];
    let [memory, postgres] = &both;
    Err(format!(
        "they differ\nmemory:   {memory:?}\npostgres: {postgres:?}"
    ))
}
