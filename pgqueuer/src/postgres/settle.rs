//! Writing down how attempts ended: few statements for any number of jobs.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use foldhash::{HashMap, HashSet, HashSetExt as _};
use sqlx::types::Json;

use super::{
    dedicated::{Dedicated, Lent},
    failure::failed_to,
    place, rows,
    statements::Statements,
};
use crate::{
    error::Result,
    job::JobId,
    store::{Attempted, ClaimKey, Disposition, Ending, Failure, Place, SessionId, Settlement},
};

/// So many bytes of results, or one result more, go into one statement: the server holds all of it in memory,
/// more than once.
const MOST_RESULTS: usize = 4 * 1024 * 1024;

/// Jobs that end in the same way, and so in one statement: the columns of `settle_end.sql`, and of
/// `settle_unrecorded.sql`.
struct Ended<'a> {
    ending: Ending,
    retain: Duration,
    keys: Keys,
    places: Vec<String>,
    /// By id, of those that failed.
    failures: BTreeMap<i64, &'a Failure>,
    /// By id, of those that returned something.
    results: BTreeMap<i64, &'a str>,
    /// How long the results are together.
    result_bytes: usize,
}

/// The columns of `settle_keep.sql`.
#[derive(Default)]
struct Kept<'a> {
    keys: Keys,
    states: Vec<&'static str>,
    delays: Vec<f64>,
    given_back: Vec<i16>,
    failures: Failures<'a>,
}

#[derive(Default)]
struct Keys {
    ids: Vec<i64>,
    claim_numbers: Vec<i32>,
}

/// One for each job, if there are any.
#[derive(Default)]
struct Failures<'a>(Vec<Option<Json<&'a Failure>>>);

impl Keys {
    fn push(&mut self, key: ClaimKey) {
        self.ids.push(key.id.as_i64());
        self.claim_numbers.push(key.claim_number);
    }
}

impl<'a> Failures<'a> {
    fn push(&mut self, failure: Option<&'a Failure>) {
        self.0.push(failure.map(Json));
    }

    fn column(&self) -> Option<&[Option<Json<&'a Failure>>]> {
        let has_any = self.0.iter().any(Option::is_some);
        has_any.then_some(&self.0)
    }
}

impl<'a> Ended<'a> {
    fn new(ending: Ending, retain: Duration) -> Self {
        Self {
            ending,
            retain,
            keys: Keys::default(),
            places: Vec::new(),
            failures: BTreeMap::new(),
            results: BTreeMap::new(),
            result_bytes: 0,
        }
    }

    fn push(&mut self, settlement: &'a Settlement, place: Place) {
        self.keys.push(settlement.key);
        self.places.push(place::to_text(place));
        let failure = settlement.failure.as_ref();
        let failure = failure.map(|it| (settlement.key.id.as_i64(), it));
        self.failures.extend(failure);
        if let Some(result) = &settlement.result {
            self.results.insert(settlement.key.id.as_i64(), result);
            self.result_bytes += result.len();
        }
    }
}

impl<'a> Kept<'a> {
    fn push(&mut self, settlement: &'a Settlement, state: &'static str, delay: Duration) {
        self.keys.push(settlement.key);
        self.states.push(state);
        self.delays.push(delay.as_secs_f64());
        self.failures.push(settlement.failure.as_ref());
    }
}

pub(super) async fn settle(
    dedicated: &Dedicated,
    statements: &Statements,
    session: SessionId,
    settlements: &[Settlement],
) -> Result<Vec<ClaimKey>> {
    let firsts = firsts(settlements);
    let at_place = |settlement: &Settlement| Some(settlement.place);
    let ended = ended(&firsts, at_place);
    let kept = kept(&firsts);

    let failed = failed_to("end jobs");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    let mut settled = end(&mut lent, statements, session, &ended).await?;
    let ending: usize = ended.iter().map(|it| it.places.len()).sum();
    if settled.len() < ending {
        let is_left = |it: &&Settlement| {
            matches!(it.disposition, Disposition::End { .. }) && !settled.contains(&it.key)
        };
        let left: Vec<Settlement> = firsts.iter().filter(is_left).cloned().collect();
        let places = find_places(&mut lent, statements, session, &left).await?;
        let moved = self::ended(&left, |it| places.get(&it.key.id).copied());
        settled.extend(end(&mut lent, statements, session, &moved).await?);
    }
    if !kept.keys.ids.is_empty() {
        let keys = statements
            .settle_keep
            .query(lent.route())
            .bind(session.0)
            .bind(&kept.keys.ids)
            .bind(&kept.keys.claim_numbers)
            .bind(&kept.states)
            .bind(&kept.delays)
            .bind(&kept.given_back)
            .bind(kept.failures.column())
            .try_map(|row| rows::claim_key(&row))
            .fetch_all(lent.connection())
            .await
            .map_err(failed_to("keep jobs"))?;
        settled.extend(keys);
    }
    lent.give_back().await.map_err(&failed)?;
    if settled.len() == firsts.len() {
        return Ok(Vec::new());
    }
    let refused = settlements.iter().map(|it| it.key);
    Ok(refused.filter(|key| !settled.contains(key)).collect())
}

/// Makes the connection, and has the server prepare and plan what the first results will need, by
/// ending nothing.
pub(super) async fn warm_up(dedicated: &Dedicated, statements: &Statements) -> Result<()> {
    let failed = failed_to("end jobs");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    let nothing = [Ended::new(Ending::Completed, Duration::from_secs(1))];
    end(&mut lent, statements, SessionId(0), &nothing).await?;
    lent.give_back().await.map_err(&failed)
}

/// Of each claim the first: a statement that finds a row twice takes either.
fn firsts(settlements: &[Settlement]) -> Cow<'_, [Settlement]> {
    let mut seen = HashSet::with_capacity(settlements.len());
    if settlements.iter().all(|it| seen.insert(it.key)) {
        return Cow::Borrowed(settlements);
    }
    seen.clear();
    let firsts = settlements.iter().filter(|it| seen.insert(it.key));
    Cow::Owned(firsts.cloned().collect())
}

/// The jobs that leave the queue and whose place is known, by how they end.
fn ended<'a>(
    settlements: &'a [Settlement],
    place_of: impl Fn(&Settlement) -> Option<Place>,
) -> Vec<Ended<'a>> {
    let mut ways: Vec<Ended<'a>> = Vec::new();
    for settlement in settlements {
        let Disposition::End { ending, retain } = settlement.disposition else {
            continue;
        };
        let Some(place) = place_of(settlement) else {
            continue;
        };
        let is_same = |way: &Ended<'_>| {
            way.ending == ending && way.retain == retain && way.result_bytes < MOST_RESULTS
        };
        // Nearly always the first: kinds with a retention of their own are few.
        let way = ways.iter().position(is_same).unwrap_or_else(|| {
            ways.push(Ended::new(ending, retain));
            ways.len() - 1
        });
        ways[way].push(settlement, place);
    }
    ways
}

/// The jobs that stay in the queue.
fn kept(settlements: &[Settlement]) -> Kept<'_> {
    let mut kept = Kept::default();
    for settlement in settlements {
        match settlement.disposition {
            Disposition::End { .. } => {}
            Disposition::Hold => {
                kept.push(settlement, "held", Duration::ZERO);
                kept.given_back.push(0);
            }
            Disposition::Again { after, attempted } => {
                let state = if after.is_zero() {
                    "available"
                } else {
                    "scheduled"
                };
                kept.push(settlement, state, after);
                kept.given_back.push(match attempted {
                    Attempted::Counts => 0,
                    Attempted::GivenBack => 1,
                });
            }
        }
    }
    kept
}

/// Returns which were ended: those that the session holds, and that are where they were.
async fn end(
    lent: &mut Lent<'_>,
    statements: &Statements,
    session: SessionId,
    ways: &[Ended<'_>],
) -> Result<HashSet<ClaimKey>> {
    let mut settled = HashSet::new();
    for way in ways {
        let is_recorded = !way.retain.is_zero();
        let statement = match is_recorded {
            true => &statements.settle_end,
            false => &statements.settle_unrecorded,
        };
        let mut query = statement
            .query(lent.route())
            .bind(session.0)
            .bind(&way.places)
            .bind(&way.keys.ids)
            .bind(&way.keys.claim_numbers);
        if is_recorded {
            let failures = Some(&way.failures).filter(|it| !it.is_empty());
            query = query
                .bind(failures.map(Json))
                .bind(way.ending.as_str())
                .bind(way.retain.as_secs_f64())
                .bind(Some(&way.results).filter(|it| !it.is_empty()).map(Json));
        }
        let keys = query
            .try_map(|row| rows::claim_keys(&row))
            .fetch_one(lent.connection())
            .await
            .map_err(failed_to("end jobs"))?;
        settled.extend(keys);
    }
    Ok(settled)
}

async fn find_places(
    lent: &mut Lent<'_>,
    statements: &Statements,
    session: SessionId,
    settlements: &[Settlement],
) -> Result<HashMap<JobId, Place>> {
    let ids: Vec<i64> = settlements.iter().map(|it| it.key.id.as_i64()).collect();
    let found = statements
        .find_places
        .query(lent.route())
        .bind(session.0)
        .bind(ids)
        .try_map(|row| rows::job_place(&row))
        .fetch_all(lent.connection())
        .await
        .map_err(failed_to("end jobs"))?;
    Ok(found.into_iter().collect())
}
