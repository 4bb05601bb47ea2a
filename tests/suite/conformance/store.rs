//! What every store must do: one module for each step in the life of a job.

mod bell;
mod claim;
mod claim_bounded;
mod claim_onward;
mod enqueue;
mod failures;
mod history;
mod kinds;
mod limits;
mod minutes;
mod operate;
mod pauses;
mod promote;
mod rates;
mod rescue;
mod schedules;
mod schema;
mod sessions;
mod settle;
mod unique;
mod waited;
