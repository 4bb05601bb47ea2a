//! What there is only on PostgreSQL: functions in SQL, plans, and how rows are updated.

mod claim_plan;
mod counts;
mod enqueue_function;
mod fronts;
mod gathering;
mod history_days;
mod marks;
mod odd_rows;
mod own_transactions;
mod places;
mod plans;
mod pooled;
mod recent;
mod ringing;
mod schedule_function;
mod starting;
mod statements;
mod waiting;
mod wrapped_transactions;
