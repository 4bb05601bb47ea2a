//! Which jobs a test runs.

use pgqueuer::{ErrorKind, Job as _, Report, State, Tx, job, schedule, testing::TestQueue};

use super::{Notes, noting};

struct Mailer;

#[job]
async fn kit_mail(user_id: i64, mailer: State<Mailer>) {
    let _ = (user_id, mailer);
}

#[job]
async fn kit_note(line: String, notes: State<Notes>) {
    notes.note(line);
}

#[job]
async fn kit_sign_up(pgq: State<pgqueuer::PgQueuer>) -> pgqueuer::Result<()> {
    KitMail { user_id: 1 }.enqueue(&*pgq).await?;
    Ok(())
}

#[schedule("0 * * * *")]
async fn kit_hourly_mail(mailer: State<Mailer>) {
    let _ = mailer;
}

#[schedule("0 * * * *")]
async fn kit_hourly(notes: State<Notes>) {
    notes.note("hour");
}

#[job]
async fn kit_pay(mut tx: Tx) {
    let _ = &mut tx;
}

fn note(line: &str) -> KitNote {
    KitNote { line: line.into() }
}

#[pgqueuer::test]
async fn what_lacks_its_state_is_left_out(queue: TestQueue) {
    let notes = noting(&queue);
    queue
        .register::<KitNote>()
        .register::<KitHourlyMail>()
        .register::<KitPay>()
        .all_schedules();
    note("here").enqueue(&queue).await.unwrap();

    let report = queue.advance("2h").await.unwrap();

    assert_eq!(
        (report.completed, notes.lines()),
        (1, vec!["here".to_owned()])
    );
    assert_eq!(queue.list_schedules().await.unwrap(), []);
}

#[pgqueuer::test]
async fn a_schedule_ticks_if_the_test_says_so(queue: TestQueue) {
    let notes = noting(&queue);
    queue.register::<KitHourly>();
    assert_eq!(queue.advance("2h").await.unwrap(), Report::default());

    queue.schedule::<KitHourly>();
    assert_eq!(queue.advance("2h").await.unwrap().completed, 2);

    queue.leave::<KitHourly>();
    assert_eq!(queue.advance("2h").await.unwrap(), Report::default());
    assert_eq!(notes.lines().len(), 2);
}

#[pgqueuer::test]
async fn all_schedules_tick_if_the_test_says_so(queue: TestQueue) {
    noting(&queue);
    queue.register::<KitHourly>().all_schedules();
    assert_eq!(queue.advance("2h").await.unwrap().completed, 2);
}

#[pgqueuer::test]
async fn a_schedule_that_cannot_tick_is_an_error(queue: TestQueue) {
    noting(&queue);
    queue.schedule::<KitHourlyMail>();
    let refused = queue.drain().await.unwrap_err().to_string();
    assert!(
        refused.contains("a schedule cannot tick in this test"),
        "{refused}"
    );
    assert!(refused.contains("Mailer"), "{refused}");

    queue.leave::<KitHourlyMail>().schedule::<KitNote>();
    let refused = queue.drain().await.unwrap_err().to_string();
    assert!(refused.contains("`kit_note` ("), "{refused}");
    assert!(refused.contains("has no schedule in its code"), "{refused}");
}

#[pgqueuer::test]
async fn what_lacks_its_state_and_is_due_is_an_error(queue: TestQueue) {
    noting(&queue);
    queue.register::<KitMail>();
    let later = KitMail { user_id: 1 }.options().delay("1h");
    let id = later.enqueue(&queue).await.unwrap().id();
    assert_eq!(queue.drain().await.unwrap(), Report::default());

    let refused = queue.advance("1h").await.unwrap_err();

    assert_eq!(refused.kind(), ErrorKind::Config);
    let message = refused.to_string();
    for part in [
        &format!("job {id} is due and cannot run in this test"),
        "`kit_mail` (",
        "which.rs:",
        "takes `State<suite::testing::which::Mailer>`; give that with `queue.state(…)`",
        "`queue.leave::<…>()`",
    ] {
        assert!(message.contains(part), "no {part} in {message}");
    }

    queue.state(Mailer);
    assert_eq!(queue.drain().await.unwrap().completed, 1);
}

#[pgqueuer::test]
async fn what_a_handler_enqueues_in_vain_is_an_error(queue: TestQueue) {
    noting(&queue);
    queue.register::<KitMail>().register::<KitSignUp>();
    KitSignUp {}.enqueue(&queue).await.unwrap();

    let refused = queue.drain().await.unwrap_err();

    assert!(refused.to_string().contains("Mailer"), "{refused}");
}

#[pgqueuer::test]
async fn what_is_left_stays(queue: TestQueue) {
    noting(&queue);
    queue
        .register::<KitMail>()
        .register::<KitSignUp>()
        .leave::<KitMail>();
    KitSignUp {}.enqueue(&queue).await.unwrap();

    assert_eq!(queue.advance("1day").await.unwrap().completed, 1);
    let left = queue.enqueued::<KitMail>().await.unwrap();
    assert_eq!(left.len(), 1);
}

#[pgqueuer::test]
async fn a_transaction_is_not_to_be_had_in_memory(queue: TestQueue) {
    noting(&queue);
    queue.register::<KitPay>();
    KitPay {}.enqueue(&queue).await.unwrap();

    let refused = queue.drain().await.unwrap_err();

    let advice = "`#[pgqueuer::test(postgres)]`";
    assert!(refused.to_string().contains(advice), "{refused}");
}

#[pgqueuer::test]
async fn jobs_run_one_by_one_in_their_order(queue: TestQueue) {
    let notes = noting(&queue);
    queue.register::<KitNote>();
    for number in 0..50 {
        let priority = i16::from(number == 49);
        let job = note(&number.to_string()).options().priority(priority);
        job.enqueue(&queue).await.unwrap();
    }

    queue.drain().await.unwrap();

    let expected = [49].into_iter().chain(0..49);
    let expected: Vec<String> = expected.map(|it| it.to_string()).collect();
    assert_eq!(notes.lines(), expected);
}

/// This program is full of such: a drain of all that is linked must not stumble over any.
#[pgqueuer::test]
async fn a_kind_that_two_jobs_have_is_left_out_until_it_is_due(queue: TestQueue) {
    mod one {
        #[pgqueuer::job(name = "kit_clash")]
        pub(super) async fn first() {}
    }
    mod other {
        #[pgqueuer::job(aliases = ["kit_clash"])]
        pub(super) async fn second() {}
    }
    use pgqueuer::Job as _;

    queue.drain().await.unwrap();
    one::First {}.enqueue(&queue).await.unwrap();

    let refused = queue.drain().await.unwrap_err().to_string();
    assert!(refused.contains("is also that of a job at"), "{refused}");

    queue.register::<one::First>();
    assert_eq!(queue.drain().await.unwrap().completed, 1);
    let _ = other::Second {};
}
