//! Looking into a queue.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use pgqueuer::{
    Codec, Job as _, JobState, Payload, PgQueuer, State, job,
    store::{JobToEnqueue, RunAt},
    testing::{TestQueue, assert_enqueued, assert_not_enqueued},
};

use super::{Notes, noting};

mod jobs {
    #[pgqueuer::job(aliases = ["kit_greet"])]
    pub(super) async fn kit_welcome(user_id: i64, locale: String) {
        let _ = (user_id, locale);
    }
}

use jobs::KitWelcome;

#[job]
async fn kit_empty(notes: State<Notes>) {
    let _ = notes;
}

fn welcome(user_id: i64) -> KitWelcome {
    KitWelcome {
        user_id,
        locale: "nb".into(),
    }
}

/// What an assertion says when it fails, and where it says it was.
async fn refusal(assertion: impl Future<Output = ()>) -> String {
    let panic = AssertUnwindSafe(assertion)
        .catch_unwind()
        .await
        .unwrap_err();
    *panic.downcast::<String>().unwrap()
}

#[pgqueuer::test]
async fn patterns_are_those_of_a_match(queue: TestQueue) {
    let id = welcome(42).enqueue(&queue).await.unwrap().id();
    KitEmpty {}.enqueue(&queue).await.unwrap();
    let pgq: &PgQueuer = &queue;
    let reference = &queue;

    assert_enqueued!(queue, KitWelcome { user_id: 42, .. });
    assert_enqueued!(
        reference,
        jobs::KitWelcome {
            user_id: 1..=42,
            locale: _
        }
    );
    assert_enqueued!(pgq, KitWelcome { user_id, locale } if *user_id == 42 && locale == "nb",);
    assert_enqueued!(queue, KitEmpty {});
    let record = assert_enqueued!(queue, KitWelcome);
    assert_eq!((record.id, record.state), (id, JobState::Available));

    assert_not_enqueued!(queue, KitWelcome { user_id: 43, .. });
    assert_not_enqueued!(pgq, KitWelcome { locale, .. } if locale == "en");
}

#[pgqueuer::test]
async fn a_failure_shows_what_is_there(queue: TestQueue) {
    welcome(7).enqueue(&queue).await.unwrap();
    let later = welcome(8)
        .options()
        .run_at("2999-01-02T03:04:05Z".parse().unwrap());
    later.enqueue(&queue).await.unwrap();

    let said = refusal(async {
        assert_enqueued!(queue, KitWelcome { user_id: 42, .. });
    });
    assert_eq!(
        said.await,
        "no job `KitWelcome { user_id: 42, .. }` is in the queue; of its kind there are:\
         \n  job 1 (available): KitWelcome { user_id: 7, locale: \"nb\" }\
         \n  job 2 (scheduled for 2999-01-02 03:04:05 UTC): KitWelcome { user_id: 8, locale: \"nb\" }"
    );

    let said = refusal(async { assert_not_enqueued!(queue, KitWelcome) });
    assert_eq!(
        said.await,
        "job 1, and 1 more in the queue matches `KitWelcome { .. }`; of its kind there are:\
         \n  job 1 (available): KitWelcome { user_id: 7, locale: \"nb\" }\
         \n  job 2 (scheduled for 2999-01-02 03:04:05 UTC): KitWelcome { user_id: 8, locale: \"nb\" }"
    );
}

#[pgqueuer::test]
async fn a_failure_says_that_nothing_is_there(queue: TestQueue) {
    noting(&queue);
    queue.register::<KitWelcome>();
    welcome(42).enqueue(&queue).await.unwrap();
    queue.drain().await.unwrap();

    let said = refusal(async {
        assert_enqueued!(queue, KitWelcome { user_id, .. } if *user_id == 42);
    });

    assert_eq!(
        said.await,
        "no job `KitWelcome { user_id, .. } if *user_id == 42` is in the queue, and none of its kind \
         at all (one that has ended is not there any more)"
    );
}

#[pgqueuer::test]
async fn all_of_a_type_are_listed_in_their_order(queue: TestQueue) {
    welcome(3)
        .options()
        .delay("1h")
        .enqueue(&queue)
        .await
        .unwrap();
    welcome(1).enqueue(&queue).await.unwrap();
    KitEmpty {}.enqueue(&queue).await.unwrap();
    let old = JobToEnqueue {
        kind: "kit_greet".into(),
        payload: Payload {
            codec: Codec::Json,
            bytes: br#"{"user_id": 2, "locale": "en"}"#.to_vec(),
        },
        ..crate::support::job("kit_greet")
    };
    assert_eq!(old.run_at, RunAt::Now);
    queue.store().enqueue(&[old]).await.unwrap();

    let listed = queue.enqueued::<KitWelcome>().await.unwrap();

    let users: Vec<i64> = listed.iter().map(|it| it.user_id).collect();
    assert_eq!(users, [3, 1, 2]);
}

#[pgqueuer::test]
async fn what_does_not_decode_is_named(queue: TestQueue) {
    let broken = crate::support::job("kit_welcome");
    queue.store().enqueue(&[broken]).await.unwrap();

    let said = refusal(async {
        assert_enqueued!(queue, KitWelcome);
    });

    let said = said.await;
    assert!(
        said.contains("job 1 of kind `kit_welcome` cannot be shown"),
        "{said}"
    );
}

#[pgqueuer::test]
async fn streams_go_to_a_queue_of_a_test(queue: TestQueue) {
    let jobs = futures_util::stream::iter(0..3);
    let jobs = futures_util::StreamExt::map(jobs, welcome);
    assert_eq!(KitWelcome::enqueue_stream(&queue, jobs).await.unwrap(), 3);
    assert_eq!(queue.enqueued::<KitWelcome>().await.unwrap().len(), 3);
}
