//! One of the two stores, and what its ids are called on both sides.

mod schedules;

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use pgqueuer::{
    Codec, Headers, JobId, KindOverview, Payload, Result,
    store::{
        Bound, ClaimKey, ClaimRequest, ClaimedJob, Counts, Disposition, Failure, FailureReason,
        Holds, JobRecord, JobToEnqueue, Look, MinuteToAdd, Place, RunAt, SessionId, Settlement,
        Store, Tally,
    },
};

use super::{
    step::{HOUR, KINDS, Minutes, New, PRIORITIES, When},
    view::{Claimed, Contents, Failed, Kind, Number, Record, Reply, hours},
};
use crate::support::{LONG, kind_record};

pub(super) struct Side<'a> {
    store: &'a dyn Store,
    jobs: Vec<JobId>,
    sessions: Vec<SessionId>,
    claims: Vec<(ClaimKey, Place)>,
}

/// What to settle, in numbers that both sides understand.
#[derive(Clone, Copy)]
pub(super) struct Settling {
    pub(super) claim: Number,
    pub(super) disposition: Disposition,
    pub(super) fails: bool,
    pub(super) knows_place: bool,
}

/// What to claim.
#[derive(Clone)]
pub(super) struct Claiming {
    pub(super) session: Number,
    pub(super) kinds: Vec<&'static str>,
    pub(super) limit: u32,
    pub(super) bounds: Vec<([&'static str; 1], u32)>,
    pub(super) look: Look,
}

impl<'a> Side<'a> {
    pub(super) fn new(store: &'a dyn Store) -> Self {
        Self {
            store,
            jobs: Vec::new(),
            sessions: Vec::new(),
            claims: Vec::new(),
        }
    }

    pub(super) async fn enqueue(&mut self, new: &[New]) -> Result<Reply> {
        let jobs: Vec<JobToEnqueue> = new.iter().map(to_enqueue).collect();
        let ids = self.store.enqueue(&jobs).await?;
        self.jobs.extend(&ids);
        Ok(Reply::Enqueued(ids.len()))
    }

    pub(super) async fn open(&mut self) -> Result<Reply> {
        let session = self.store.open_session("model", LONG).await?;
        self.sessions.push(session);
        Ok(Reply::Done)
    }

    pub(super) async fn renew(&self, session: Number, lease: Duration) -> Result<Reply> {
        let renewed = self.store.renew_session(self.sessions[session], lease);
        Ok(Reply::IsLive(renewed.await?))
    }

    /// `held`: what it holds, if it knows.
    pub(super) async fn close(&self, session: Number, held: Option<&[Number]>) -> Result<Reply> {
        let held = held.map(|it| self.keys(it));
        let holds = held.as_deref().map_or(Holds::Unsure, Holds::Only);
        let session = self.sessions[session];
        self.store.close_session(session, holds).await?;
        Ok(Reply::Done)
    }

    pub(super) async fn claim(&mut self, claiming: &Claiming) -> Result<Vec<Claimed>> {
        let bounds = claiming.bounds.iter().map(|(kinds, limit)| Bound {
            kinds,
            limit: *limit,
        });
        let request = ClaimRequest {
            session: self.sessions[claiming.session],
            kinds: &claiming.kinds,
            limit: claiming.limit,
            bounds: &bounds.collect::<Vec<_>>(),
            look: claiming.look,
            has_freed: false,
        };
        let mut claimed = self.store.claim(&request).await?.jobs;
        let now = self.store.now().await?;
        let views = claimed.iter().map(|it| self.claimed(it, now)).collect();
        // Numbered by job, since the order may be anybody's.
        claimed.sort_by_key(|it| it.key.id);
        self.claims
            .extend(claimed.iter().map(|it| (it.key, it.place)));
        Ok(views)
    }

    /// The last of the claims were made by two looks: numbers them as if by one.
    pub(super) fn renumber(&mut self, count: usize) {
        let first = self.claims.len().saturating_sub(count);
        self.claims[first..].sort_by_key(|(key, _)| key.id);
    }

    fn claimed(&self, job: &ClaimedJob, now: DateTime<Utc>) -> Claimed {
        Claimed {
            job: self.job(job.key.id),
            claim_number: job.key.claim_number,
            kind: job.kind.clone(),
            attempt: job.attempt,
            priority: job.priority,
            payload: (job.payload.codec, job.payload.bytes.clone()),
            headers: job.headers.clone(),
            enqueued: hours(job.enqueued_at, now),
            hours_waited: (job.waited + HOUR / 2).as_secs() / HOUR.as_secs(),
        }
    }

    pub(super) async fn settle(&self, session: Number, settling: &[Settling]) -> Result<Reply> {
        let settlements: Vec<Settlement> = settling.iter().map(|it| self.settlement(it)).collect();
        let session = self.sessions[session];
        let refused = self.store.settle(session, &settlements).await?;
        let refused = refused.iter().map(|it| (self.job(it.id), it.claim_number));
        let mut refused: Vec<_> = refused.collect();
        refused.sort_unstable();
        Ok(Reply::Refused(refused))
    }

    fn settlement(&self, settling: &Settling) -> Settlement {
        let (key, place) = self.claims[settling.claim];
        let message = format!("ünï \"{}\" \\", settling.claim);
        let is_even = settling.claim.is_multiple_of(2);
        let failure = Failure {
            chain: if is_even {
                vec!["ünï".to_owned(); 2]
            } else {
                Vec::new()
            },
            backtrace: is_even.then(|| "at 🦀".to_owned()),
            ..Failure::new(7, FailureReason::Error, message)
        };
        Settlement {
            key,
            place: if settling.knows_place {
                place
            } else {
                Place::default()
            },
            disposition: settling.disposition,
            failure: settling.fails.then_some(failure),
            result: is_even.then(|| format!("[{}]", settling.claim)),
        }
    }

    pub(super) async fn reconcile(&self, session: Number, known: &[Number]) -> Result<Reply> {
        let session = self.sessions[session];
        let given_back = self.store.reconcile(session, &self.keys(known)).await?;
        Ok(Reply::Count(given_back))
    }

    pub(super) async fn rescue(&self) -> Result<Reply> {
        let crashes = self.store.rescue().await?;
        let crashes = crashes.into_iter().map(|it| {
            let session = self.sessions.iter().position(|id| *id == it.session);
            let session = session.expect("a session of this store");
            (self.job(it.id), it.kind, session, it.state)
        });
        let mut crashes: Vec<_> = crashes.collect();
        crashes.sort_by_key(|it| it.0);
        Ok(Reply::Crashes(crashes))
    }

    pub(super) async fn promote(&self, limit: u32) -> Result<Reply> {
        let promotion = self.store.promote(limit).await?;
        let to_next = promotion
            .next_due_in
            .map(|it| TimeDelta::from_std(it).expect("less than 10,000 years"));
        Ok(Reply::Promoted {
            count: promotion.promoted,
            hours_to_next: to_next.map(|it| (it.num_minutes() + 30).div_euclid(60)),
        })
    }

    pub(super) async fn requeue_stranded(&self) -> Result<Reply> {
        self.store.requeue_stranded().await.map(Reply::Count)
    }

    pub(super) async fn prune(&self, limit: u32) -> Result<Reply> {
        self.store.prune(limit).await.map(Reply::Count)
    }

    pub(super) async fn publish(
        &self,
        kind: usize,
        max_attempts: u16,
        discards: bool,
        retains: bool,
    ) -> Result<Reply> {
        let mut record = kind_record(KINDS[kind]);
        record.max_attempts = max_attempts;
        record.on_failure = if discards { "discard" } else { "hold" }.to_owned();
        record.retain_seconds = if retains { 3600 } else { 0 };
        self.store.publish_kinds(&[record]).await?;
        Ok(Reply::Done)
    }

    pub(super) async fn add_minutes(&self, minutes: &[Minutes]) -> Result<Reply> {
        let minutes: Vec<MinuteToAdd> = minutes.iter().map(to_add).collect();
        self.store.add_minutes(&minutes).await?;
        Ok(Reply::Done)
    }

    pub(super) async fn list_minutes(&self, hours_ago: u8) -> Result<Reply> {
        let found = self.store.list_minutes(half_past(hours_ago)).await?;
        let now = self.store.now().await?;
        // By the hour: one store may have begun a new minute before the other one.
        let mut by_hour: BTreeMap<(i64, String), Tally> = BTreeMap::new();
        for record in found {
            let key = (hours(record.minute, now), record.kind);
            by_hour.entry(key).or_default().add(&record.tally);
        }
        let lines = by_hour
            .into_iter()
            .map(|((hour, kind), tally)| (hour, kind, tally));
        Ok(Reply::Minutes(lines.collect()))
    }

    /// How many records those are is the store's own affair.
    pub(super) async fn forget_minutes(&self, hours_ago: u8) -> Result<Reply> {
        let keep = half_past(hours_ago);
        self.store.forget_minutes(keep, 1000).await?;
        Ok(Reply::Done)
    }

    pub(super) async fn counts(&self) -> Result<(Counts, Counts)> {
        Ok((
            self.store.count_jobs(None).await?,
            self.store.count_jobs(Some(&KINDS[..1])).await?,
        ))
    }

    pub(super) async fn contents(&self) -> Result<Contents> {
        let now = self.store.now().await?;
        let mut jobs = Vec::new();
        for id in &self.jobs {
            let found = self.store.get_job(*id).await?;
            jobs.push(found.map(|it| record(it, now)));
        }
        let due = self.store.due_schedules(&KINDS, &KINDS).await?;
        let number = |id: JobId| self.job(id);
        let schedules = self.store.list_schedules().await?.into_iter();
        let overview = self.store.overview().await?.kinds.into_iter();
        let of_kind = |it: KindOverview| Kind {
            name: it.kind,
            queue: it.queue,
            counts: [it.counts.available, it.counts.scheduled, it.counts.held],
            oldest: it.oldest.map(|it| hours(it, now)),
        };
        let totals = self.store.list_totals().await?.into_iter();
        Ok(Contents {
            jobs,
            overview: overview.map(of_kind).collect(),
            totals: totals.map(|it| (it.kind, it.measures.tally)).collect(),
            kinds: self.store.list_kinds().await?,
            schedules: schedules.map(|it| schedules::view(it, number)).collect(),
            soonest: due.soonest,
            due: due
                .due
                .into_iter()
                .map(|it| (it.name, it.revision))
                .collect(),
        })
    }

    fn keys(&self, claims: &[Number]) -> Vec<ClaimKey> {
        claims.iter().map(|it| self.claims[*it].0).collect()
    }

    fn job(&self, id: JobId) -> Number {
        let known = self.jobs.iter().position(|it| *it == id);
        known.expect("a job of this store")
    }
}

fn record(record: JobRecord, now: DateTime<Utc>) -> Record {
    let from_now = |time: Option<DateTime<Utc>>| time.map(|it| hours(it, now));
    Record {
        kind: record.kind,
        state: record.state,
        priority: record.priority,
        attempt: record.attempt,
        enqueued: hours(record.enqueued_at, now),
        run_at: from_now(record.run_at),
        claimed: from_now(record.claimed_at),
        finished: from_now(record.finished_at),
        payload: record.payload.map(|it| (it.codec, it.bytes)),
        headers: record.headers,
        failures: record
            .failures
            .into_iter()
            .map(|it| Failed::new(it, now))
            .collect(),
    }
}

fn to_enqueue(new: &New) -> JobToEnqueue {
    let (codec, bytes): (_, &[u8]) = match new.payload {
        0 => (Codec::Json, b"{}"),
        1 => (Codec::Framed, &[1]),
        _ => (Codec::Framed, &[0, 255, 1, 0]),
    };
    let headers: &[(&str, &str)] = match new.headers {
        0 => &[],
        1 => &[("tenant", "acme")],
        _ => &[("", ""), ("ünï \"\\", "🦀\u{1}")],
    };
    JobToEnqueue {
        kind: KINDS[new.kind].into(),
        priority: PRIORITIES[new.kind][new.priority],
        payload: Payload {
            codec,
            bytes: bytes.to_vec(),
        },
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<Headers>(),
        limit_key: None,
        run_at: match new.when {
            When::Now => RunAt::Now,
            When::LongAgo => RunAt::At(DateTime::UNIX_EPOCH),
            When::AfterNothing => RunAt::After(Duration::ZERO),
            When::AfterHours(hours) => RunAt::After(HOUR * hours),
            When::InTheYear9999 => RunAt::At(whole_seconds(253_402_300_799)),
        },
    }
}

fn to_add(minutes: &Minutes) -> MinuteToAdd {
    let count = u64::from(minutes.count);
    let seconds = f64::from(minutes.count);
    let tally = [
        (count, 1, 2, 3, 4, 5),
        (0, count, 0, 0, 0, 0),
        (1, 0, 0, 0, 0, count),
    ];
    let (completed, retried, held, discarded, cancelled, snoozed) =
        tally[usize::from(minutes.session)];
    let mut added = Tally::default();
    added.completed = completed;
    added.retried = retried;
    added.held = held;
    added.discarded = discarded;
    added.cancelled = cancelled;
    added.snoozed = snoozed;
    added.wait_seconds = seconds;
    added.run_seconds = seconds * 2.0;
    added.max_run_seconds = seconds;
    MinuteToAdd {
        ago: HOUR * u32::from(minutes.hours_ago),
        session: SessionId(i64::from(minutes.session)),
        kind: KINDS[minutes.kind].to_owned(),
        measures: added.into(),
    }
}

fn whole_seconds(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).expect("it is in range")
}

fn half_past(hours_ago: u8) -> Duration {
    HOUR * u32::from(hours_ago) + HOUR / 2
}
