//! Schedules that are made, changed and run while workers run; and those that have gone from the code.

use chrono::{DateTime, TimeDelta, Utc};
use pgqueuer::{
    ErrorKind, Job, Missed, Overlap, PgQueuer, Schedule, ScheduleChange, store::JobState,
};

use super::{
    super::{Journal, Running, drain, worker},
    EveryNight, Nothing, Report, Slowly, listed, next_is_reckoned, publish,
};
use crate::{conformance::runtime_cases, support::eventually};

runtime_cases! {
    do_not_overlap,
    are_made_and_changed_while_a_worker_runs,
    run_the_job_that_they_were_made_with,
    refuse_what_is_no_schedule,
    stop_at_a_fault_and_let_the_others_tick,
    do_not_tick_when_they_are_gone_from_the_code,
    keep_a_worker_from_starting_whose_name_is_taken,
    run_at_once_by_hand,
    tell_a_job_that_was_enqueued_by_hand_when,
}

async fn do_not_overlap(pgq: &PgQueuer) {
    let journal = Journal::default();

    let running = Running::start(worker(pgq, &journal).register::<Slowly>());
    journal.wait_for(1).await;
    let first = listed(pgq, "slowly").await.last_slot;
    eventually("two slots have no job", async || {
        let skipped = listed(pgq, "slowly").await.last_skipped?;
        (skipped - first? >= TimeDelta::seconds(2)).then_some(())
    })
    .await;
    running.stop().await;

    assert_eq!(journal.lines().len(), 1);
    assert_eq!(listed(pgq, "slowly").await.last_slot, first);
}

async fn are_made_and_changed_while_a_worker_runs(pgq: &PgQueuer) {
    let journal = Journal::default();
    let running = Running::start(worker(pgq, &journal).register::<Report>());
    let rarely = Schedule::new("0 0 1 1 *");
    let job = |customer| Report { customer };

    pgq.create_schedule("weekly", &rarely, job(7))
        .await
        .unwrap();
    let again = pgq
        .create_schedule("weekly", &rarely, job(7))
        .await
        .unwrap_err();
    next_is_reckoned(pgq, "weekly").await;
    let change = ScheduleChange::new()
        .rule("every 1s")
        .missed(Missed::ALL)
        .job(job(8));
    pgq.change_schedule("weekly", change).await.unwrap();
    let lines = journal.wait_for(2).await;
    assert!(pgq.pause_schedule("weekly").await.unwrap());
    running.stop().await;

    assert_eq!(again.kind(), ErrorKind::Conflict);
    assert_eq!(
        lines[..2],
        [
            "8 Some(\"weekly\") None true",
            "8 Some(\"weekly\") Some(true) true"
        ]
    );
    pgq.delete_schedule("weekly").await.unwrap();
    assert!(pgq.list_schedules().await.unwrap().is_empty());
}

async fn run_the_job_that_they_were_made_with(pgq: &PgQueuer) {
    let job = Report { customer: 7 };
    let options = job.options().priority(9).header("tenant", "acme");
    let yearly = Schedule::new("0 0 1 1 *");
    pgq.create_schedule_with("yearly", &yearly, options)
        .await
        .unwrap();

    let id = pgq.run_schedule("yearly").await.unwrap();

    let record = pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!((&*record.kind, record.priority), ("report", 9));
    assert_eq!(record.headers["tenant"], "acme");
    assert_eq!(
        record.payload.unwrap().decode::<Report>().unwrap().customer,
        7
    );
}

async fn refuse_what_is_no_schedule(pgq: &PgQueuer) {
    let job = || Report { customer: 7 };
    let hourly = Schedule::new("0 * * * *");
    pgq.create_schedule("hourly", &hourly, job()).await.unwrap();
    let refusal = async |name: &str, schedule: Schedule| {
        let refused = pgq
            .create_schedule(name, &schedule, job())
            .await
            .unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config);
        pgqueuer_chain(&refused)
    };

    assert!(refusal("a b", hourly.clone()).await.contains("white space"));
    assert!(
        refusal("x", Schedule::new("61 * * * *"))
            .await
            .contains("has the minute `61`")
    );
    assert!(
        refusal("x", Schedule::new("every day"))
            .await
            .contains("`every day` is not")
    );
    assert!(
        refusal("x", hourly.clone().zone("Mars/Base"))
            .await
            .contains("`Mars/Base` is unknown")
    );
    let both = hourly.clone().missed(Missed::ALL).overlap(Overlap::Skip);
    assert!(refusal("x", both).await.contains("choose one of them"));
    let delayed = job().options().delay("5m");
    assert!(
        pgq.create_schedule_with("x", &hourly, delayed)
            .await
            .is_err()
    );

    for change in [
        ScheduleChange::new().rule("* * *"),
        ScheduleChange::new().zone("Mars/Base"),
        ScheduleChange::new().job(Nothing {}),
    ] {
        let refused = pgq.change_schedule("hourly", change).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config);
    }
    for unknown in [
        pgq.change_schedule("x", ScheduleChange::new())
            .await
            .unwrap_err(),
        pgq.pause_schedule("x").await.unwrap_err(),
        pgq.run_schedule("x").await.unwrap_err(),
        pgq.delete_schedule("x").await.unwrap_err(),
        pgq.reset_schedule("x").await.unwrap_err(),
        pgq.reset_schedule("hourly").await.unwrap_err(),
    ] {
        assert_eq!(unknown.kind(), ErrorKind::NotFound);
    }
    assert_eq!(listed(pgq, "hourly").await.schedule, hourly);
}

async fn stop_at_a_fault_and_let_the_others_tick(pgq: &PgQueuer) {
    let journal = Journal::default();
    let secondly = Schedule::new("every 1s");
    pgq.create_schedule("good", &secondly, Report { customer: 7 })
        .await
        .unwrap();
    pgq.create_schedule("bad", &secondly, Report { customer: 8 })
        .await
        .unwrap();
    // As somebody with SQL might, whom nobody has told.
    let rule = serde_json::json!({"rule": "61 * * * *"});
    let serde_json::Value::Object(rule) = rule else {
        unreachable!()
    };
    let by_hand = pgqueuer::store::ScheduleToChange {
        settings: Some(rule),
        job: None,
    };
    pgq.store().change_schedule("bad", &by_hand).await.unwrap();

    let running = Running::start(worker(pgq, &journal).register::<Report>());
    journal.wait_for(2).await;
    let fault = listed(pgq, "bad").await.fault.expect("it is at fault");
    assert!(fault.contains("has the minute `61`"), "{fault}");
    assert!(journal.lines().iter().all(|it| it.starts_with("7 ")));
    pgq.change_schedule("bad", ScheduleChange::new().rule("every 1s"))
        .await
        .unwrap();
    eventually("it ticks", async || {
        journal
            .lines()
            .iter()
            .any(|it| it.starts_with("8 "))
            .then_some(())
    })
    .await;
    running.stop().await;
}

/// As it is after a deploy: the job is there, the schedule is not.
async fn do_not_tick_when_they_are_gone_from_the_code(pgq: &PgQueuer) {
    let journal = Journal::default();
    let schedule = ("report".to_owned(), Schedule::new("every 1s"));
    pgq.store().publish_schedules(&[schedule]).await.unwrap();
    let alive = Schedule::new("every 1s");
    pgq.create_schedule("alive", &alive, Report { customer: 7 })
        .await
        .unwrap();

    let running = Running::start(worker(pgq, &journal).register::<Report>());
    journal.wait_for(2).await;
    running.stop().await;

    let gone = listed(pgq, "report").await;
    assert_eq!((gone.next_tick, gone.last_slot), (None, None));
    assert!(gone.lag() > TimeDelta::zero());
}

async fn keep_a_worker_from_starting_whose_name_is_taken(pgq: &PgQueuer) {
    let yearly = Schedule::new("0 0 1 1 *");
    let other = Report { customer: 7 };
    pgq.create_schedule("every_night", &yearly, other)
        .await
        .unwrap();

    let worker = worker(pgq, &Journal::default()).register::<EveryNight>();
    let refused = worker.build().unwrap().drain().await.unwrap_err();

    assert_eq!(refused.kind(), ErrorKind::Config);
    assert!(
        refused
            .to_string()
            .contains("pgq schedules delete every_night"),
        "{refused}"
    );
}

async fn run_at_once_by_hand(pgq: &PgQueuer) {
    let journal = Journal::default();
    publish::<EveryNight>(pgq).await;
    let before = pgq.now().await.unwrap();

    let id = pgq.run_schedule("every_night").await.unwrap();
    drain(worker(pgq, &journal).register::<EveryNight>()).await;

    let slot: DateTime<Utc> = journal.lines()[0].parse().unwrap();
    assert!(slot >= before - TimeDelta::seconds(1), "{slot}");
    let listed = listed(pgq, "every_night").await;
    assert_eq!((listed.last_job, listed.last_slot), (Some(id), None));
    let job = pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!(job.state, JobState::Completed);
}

async fn tell_a_job_that_was_enqueued_by_hand_when(pgq: &PgQueuer) {
    let journal = Journal::default();
    Report { customer: 7 }.enqueue(pgq).await.unwrap();

    drain(worker(pgq, &journal).register::<Report>()).await;

    assert_eq!(journal.lines(), ["7 None None true"]);
}

fn pgqueuer_chain(error: &pgqueuer::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
