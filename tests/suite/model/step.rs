//! What is done to the stores. Everything is a small number, so that it shrinks well: a job or
//! a session is picked by its place among those that there are.

use std::time::Duration;

use pgqueuer::store::{Attempted, Disposition, Ending, Look};
use proptest::{collection::vec, prelude::*, sample::select, strategy::Union};

/// The kinds of jobs. No two of them share a priority: among kinds of one priority the order is
/// nobody's promise, and a claim that takes some of them would take different ones.
pub(super) const KINDS: [&str; 3] = ["mail", "resize", "bill"];

pub(super) const PRIORITIES: [[i16; 2]; 3] = [[0, 3], [1, i16::MIN], [2, i16::MAX]];

/// When time plays a role, then so that both clocks agree: an hour is further away than any
/// sequence takes, and a microsecond is over when the next step begins.
pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);
const MOMENT: Duration = Duration::from_micros(1);

#[derive(Clone, Debug)]
pub(super) enum Step {
    Enqueue(Vec<New>),
    Open,
    Renew(u8),
    /// Lets the lease run out.
    Expire(u8),
    Close {
        session: u8,
        /// Without the list of what it holds.
        is_unsure: bool,
    },
    Claim {
        session: u8,
        /// One bit for each kind.
        kinds: u8,
        limit: u32,
        /// Kind, limit.
        bounds: Vec<(usize, u32)>,
        look: Look,
    },
    Settle {
        /// `None`: the one that made the first of the claims.
        session: Option<u8>,
        ends: Vec<End>,
    },
    Reconcile {
        session: u8,
        /// How many of its claims it has forgotten, the latest first.
        forgotten: u8,
    },
    Rescue,
    Promote(u32),
    RequeueStranded,
    Prune(u32),
    PublishKind {
        kind: usize,
        max_attempts: u16,
        discards: bool,
        retains: bool,
    },
    PublishSchedule {
        kind: usize,
        rule: u8,
        overlaps: bool,
    },
    Tick {
        kind: usize,
        revision: u8,
        slot: u8,
    },
    PauseSchedule {
        kind: usize,
        paused: bool,
    },
    AddMinutes(Vec<Minutes>),
    ListMinutes(u8),
    ForgetMinutes(u8),
}

/// A job to be enqueued.
#[derive(Clone, Debug)]
pub(super) struct New {
    pub(super) kind: usize,
    pub(super) priority: usize,
    pub(super) when: When,
    pub(super) payload: u8,
    pub(super) headers: u8,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    Now,
    LongAgo,
    AfterNothing,
    AfterHours(u32),
    InTheYear9999,
}

/// How one attempt ends.
#[derive(Clone, Debug)]
pub(super) struct End {
    /// Which claim, counted back from the last.
    pub(super) claim: u8,
    pub(super) disposition: Disposition,
    pub(super) fails: bool,
    /// Whether who settles it knows where the store has put it.
    pub(super) knows_place: bool,
}

/// What was done in some minute.
#[derive(Clone, Debug)]
pub(super) struct Minutes {
    pub(super) hours_ago: u8,
    pub(super) session: u8,
    pub(super) kind: usize,
    pub(super) count: u8,
}

pub(super) fn sequences() -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..50)
}

fn step() -> impl Strategy<Value = Step> {
    let steps: Vec<(u32, BoxedStrategy<Step>)> = vec![
        (8, vec(new(), 0..6).prop_map(Step::Enqueue).boxed()),
        (3, Just(Step::Open).boxed()),
        (1, few().prop_map(Step::Renew).boxed()),
        (2, few().prop_map(Step::Expire).boxed()),
        (1, close().boxed()),
        (12, claim().boxed()),
        (8, settle().boxed()),
        (1, reconcile().boxed()),
        (3, Just(Step::Rescue).boxed()),
        (3, limit().prop_map(Step::Promote).boxed()),
        (1, Just(Step::RequeueStranded).boxed()),
        (1, limit().prop_map(Step::Prune).boxed()),
        (2, publish().boxed()),
        (2, publish_schedule().boxed()),
        (3, tick().boxed()),
        (1, pause_schedule().boxed()),
        (1, vec(minutes(), 0..4).prop_map(Step::AddMinutes).boxed()),
        (1, (0..5_u8).prop_map(Step::ListMinutes).boxed()),
        (1, (0..5_u8).prop_map(Step::ForgetMinutes).boxed()),
    ];
    Union::new_weighted(steps)
}

/// Mostly one of the first, which is one of the last where it is counted from there.
fn few() -> impl Strategy<Value = u8> {
    prop_oneof![4 => 0..3_u8, 1 => 0..20_u8]
}

fn kind() -> impl Strategy<Value = usize> {
    0..KINDS.len()
}

fn limit() -> impl Strategy<Value = u32> {
    prop_oneof![0..4_u32, Just(100)]
}

fn new() -> impl Strategy<Value = New> {
    let when = prop_oneof![
        4 => Just(When::Now),
        1 => Just(When::LongAgo),
        1 => Just(When::AfterNothing),
        1 => (1..4_u32).prop_map(When::AfterHours),
        1 => Just(When::InTheYear9999),
    ];
    (kind(), 0..2_usize, when, 0..3_u8, 0..3_u8).prop_map(
        |(kind, priority, when, payload, headers)| New {
            kind,
            priority,
            when,
            payload,
            headers,
        },
    )
}

fn close() -> impl Strategy<Value = Step> {
    (few(), any::<bool>()).prop_map(|(session, is_unsure)| Step::Close { session, is_unsure })
}

fn claim() -> impl Strategy<Value = Step> {
    let look = prop_oneof![
        2 => Just(Look::Everywhere),
        1 => Just(Look::Known),
        1 => Just(Look::Onward),
    ];
    let bounds = prop_oneof![
        2 => Just(Vec::new()),
        1 => vec((kind(), 0..3_u32), 1..3),
    ];
    (few(), 1..8_u8, limit(), bounds, look).prop_map(|(session, kinds, limit, bounds, look)| {
        Step::Claim {
            session,
            kinds,
            limit,
            bounds,
            look,
        }
    })
}

fn settle() -> impl Strategy<Value = Step> {
    let end = (few(), disposition(), any::<bool>(), any::<bool>()).prop_map(
        |(claim, disposition, fails, knows_place)| End {
            claim,
            disposition,
            fails,
            knows_place,
        },
    );
    let session = prop_oneof![4 => Just(None), 1 => few().prop_map(Some)];
    (session, vec(end, 0..6)).prop_map(|(session, ends)| Step::Settle { session, ends })
}

fn disposition() -> impl Strategy<Value = Disposition> {
    let ending = select(vec![
        Ending::Completed,
        Ending::Cancelled,
        Ending::Discarded,
    ]);
    let retain = select(vec![HOUR, Duration::ZERO, MOMENT]);
    let after = select(vec![Duration::ZERO, MOMENT, HOUR]);
    let attempted = select(vec![Attempted::Counts, Attempted::GivenBack]);
    prop_oneof![
        (ending, retain).prop_map(|(ending, retain)| Disposition::End { ending, retain }),
        (after, attempted).prop_map(|(after, attempted)| Disposition::Again { after, attempted }),
        Just(Disposition::Hold),
    ]
}

fn reconcile() -> impl Strategy<Value = Step> {
    (few(), 0..4_u8).prop_map(|(session, forgotten)| Step::Reconcile { session, forgotten })
}

fn publish() -> impl Strategy<Value = Step> {
    (kind(), 1..3_u16, any::<bool>(), any::<bool>()).prop_map(
        |(kind, max_attempts, discards, retains)| Step::PublishKind {
            kind,
            max_attempts,
            discards,
            retains,
        },
    )
}

fn publish_schedule() -> impl Strategy<Value = Step> {
    (kind(), 0..2_u8, any::<bool>()).prop_map(|(kind, rule, overlaps)| Step::PublishSchedule {
        kind,
        rule,
        overlaps,
    })
}

/// With no slot, the next one is set.
fn tick() -> impl Strategy<Value = Step> {
    (kind(), 0..4_u8, 0..3_u8).prop_map(|(kind, revision, slot)| Step::Tick {
        kind,
        revision,
        slot,
    })
}

fn pause_schedule() -> impl Strategy<Value = Step> {
    (kind(), any::<bool>()).prop_map(|(kind, paused)| Step::PauseSchedule { kind, paused })
}

fn minutes() -> impl Strategy<Value = Minutes> {
    (0..4_u8, 0..3_u8, kind(), 0..9_u8).prop_map(|(hours_ago, session, kind, count)| Minutes {
        hours_ago,
        session,
        kind,
        count,
    })
}
