//! What every store must do: one module for each step in the life of a job.

mod bell;
mod claim;
mod claim_bounded;
mod claim_onward;
mod ends;
mod enqueue;
mod failures;
mod herald;
mod history;
mod kinds;
mod limits;
mod limits_by_key;
mod minutes;
mod operate;
mod pauses;
mod progress;
mod promote;
mod rates;
mod requeue;
mod rescue;
mod schedules;
mod schema;
mod sessions;
mod settle;
mod unique;
mod waited;
