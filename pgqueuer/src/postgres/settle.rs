//! Writing down how attempts ended: two statements for any number of jobs.

use std::{collections::BTreeSet, time::Duration};

use sqlx::types::Json;

use super::{dedicated::Dedicated, failure::failed_to, rows, statements::Statements};
use crate::{
    error::Result,
    store::{Attempted, ClaimKey, Disposition, Ending, Failure, SessionId, Settlement},
};

/// The columns of `settle_end.sql`.
#[derive(Default)]
struct Ended<'a> {
    keys: Keys,
    endings: Vec<&'static str>,
    retain: Vec<f64>,
    failures: Vec<Option<Json<&'a Failure>>>,
}

/// The columns of `settle_keep.sql`.
#[derive(Default)]
struct Kept<'a> {
    keys: Keys,
    states: Vec<&'static str>,
    delays: Vec<f64>,
    given_back: Vec<i16>,
    failures: Vec<Option<Json<&'a Failure>>>,
}

#[derive(Default)]
struct Keys {
    ids: Vec<i64>,
    claim_numbers: Vec<i32>,
}

impl Keys {
    fn push(&mut self, key: ClaimKey) {
        self.ids.push(key.id.as_i64());
        self.claim_numbers.push(key.claim_number);
    }
}

impl<'a> Ended<'a> {
    fn push(&mut self, settlement: &'a Settlement, ending: Ending, retain: Duration) {
        self.keys.push(settlement.key);
        self.endings.push(ending.as_str());
        self.retain.push(retain.as_secs_f64());
        self.failures.push(settlement.failure.as_ref().map(Json));
    }
}

impl<'a> Kept<'a> {
    fn push(&mut self, settlement: &'a Settlement, state: &'static str, delay: Duration) {
        self.keys.push(settlement.key);
        self.states.push(state);
        self.delays.push(delay.as_secs_f64());
        self.failures.push(settlement.failure.as_ref().map(Json));
    }
}

pub(super) async fn settle(
    dedicated: &Dedicated,
    statements: &Statements,
    session: SessionId,
    settlements: &[Settlement],
) -> Result<Vec<ClaimKey>> {
    let mut ended = Ended::default();
    let mut kept = Kept::default();
    for settlement in settlements {
        match settlement.disposition {
            Disposition::End { ending, retain } => ended.push(settlement, ending, retain),
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

    let mut lent = dedicated.lend().await.map_err(failed_to("end jobs"))?;
    let mut settled: BTreeSet<ClaimKey> = BTreeSet::new();
    if !ended.keys.ids.is_empty() {
        let keys = sqlx::query(statements.settle_end.text())
            .bind(session.0)
            .bind(ended.keys.ids)
            .bind(ended.keys.claim_numbers)
            .bind(ended.endings)
            .bind(ended.retain)
            .bind(ended.failures)
            .try_map(|row| rows::claim_keys(&row))
            .fetch_one(lent.connection())
            .await
            .map_err(failed_to("end jobs"))?;
        settled.extend(keys);
    }
    if !kept.keys.ids.is_empty() {
        let ids = sqlx::query(statements.settle_keep.text())
            .bind(session.0)
            .bind(kept.keys.ids)
            .bind(kept.keys.claim_numbers)
            .bind(kept.states)
            .bind(kept.delays)
            .bind(kept.given_back)
            .bind(kept.failures)
            .try_map(|row| rows::claim_key(&row))
            .fetch_all(lent.connection())
            .await
            .map_err(failed_to("keep jobs"))?;
        settled.extend(ids);
    }
    lent.give_back();
    let refused = settlements.iter().map(|it| it.key);
    Ok(refused.filter(|key| !settled.contains(key)).collect())
}
