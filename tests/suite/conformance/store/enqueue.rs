//! Adding jobs.

use std::time::Duration;

use chrono::TimeDelta;
use pgqueuer::{
    Codec, Headers, Payload,
    store::{Counts, JobState, JobToEnqueue, Ring, RunAt, Store},
};

use super::super::store_cases;
use crate::support::{
    LONG, claim, enqueue, enqueue_many, job, open_session, record, seconds_from_now, state,
};

store_cases! {
    gives_ids_in_the_order_of_the_jobs,
    gives_larger_ids_to_later_jobs,
    takes_an_empty_list,
    takes_ten_thousand_jobs_in_one_call,
    keeps_each_of_many_payloads,
    makes_a_job_without_a_time_available,
    makes_a_job_with_a_delay_scheduled,
    makes_a_job_without_delay_available,
    makes_a_job_of_the_future_scheduled,
    makes_a_job_of_the_past_available,
    keeps_every_byte_of_a_payload,
    keeps_an_empty_payload,
    keeps_the_codec,
    keeps_the_headers,
    keeps_the_extreme_priorities,
    stamps_the_time_of_the_store,
}

store_cases! {
    not_pooled("LISTEN"):
    wakes_workers_for_many_jobs,
}

async fn gives_ids_in_the_order_of_the_jobs(store: &dyn Store) {
    let jobs = ["first", "second", "third"].map(job);

    let ids = store.enqueue(&jobs).await.unwrap();

    let mut kinds = Vec::new();
    for id in ids {
        kinds.push(record(store, id).await.kind);
    }
    assert_eq!(kinds, ["first", "second", "third"]);
}

async fn gives_larger_ids_to_later_jobs(store: &dyn Store) {
    let earlier = enqueue_many(store, &job("mail"), 3).await;

    let later = enqueue_many(store, &job("mail"), 3).await;

    assert!(earlier.is_sorted() && later.is_sorted());
    assert!(earlier[2] < later[0], "{earlier:?} before {later:?}");
}

async fn takes_an_empty_list(store: &dyn Store) {
    let ids = store.enqueue(&[]).await.unwrap();

    assert_eq!(ids, []);
    assert_eq!(store.count_jobs(None).await.unwrap(), Counts::default());
}

async fn takes_ten_thousand_jobs_in_one_call(store: &dyn Store) {
    let ids = enqueue_many(store, &job("mail"), 10_000).await;

    let counts = store.count_jobs(None).await.unwrap();
    assert_eq!((ids.len(), counts.available), (10_000, 10_000));
    assert!(ids.is_sorted_by(|one, next| one < next));
}

/// Many jobs go by another way than few.
async fn keeps_each_of_many_payloads(store: &dyn Store) {
    let numbered = |number: u16| JobToEnqueue {
        payload: Payload {
            codec: Codec::Framed,
            bytes: number.to_be_bytes().repeat(usize::from(number) % 900),
        },
        priority: -3,
        ..job("mail")
    };
    let jobs: Vec<JobToEnqueue> = (0..2500).map(numbered).collect();

    let ids = store.enqueue(&jobs).await.unwrap();

    let session = open_session(store).await;
    let claimed = claim(store, session, &["mail"], 5000).await;
    let kept = claimed.into_iter().map(|it| (it.key.id, it.payload));
    let given = jobs.into_iter().map(|it| it.payload);
    assert!(kept.eq(ids.into_iter().zip(given)));
}

async fn wakes_workers_for_many_jobs(store: &dyn Store) {
    let session = open_session(store).await;
    let mut bell = store.bell().await.unwrap();
    store.arm_bell(session, true).await.unwrap();

    enqueue_many(store, &job("mail"), 1000).await;
    bell.rung().await;
    enqueue_many(store, &job("mail"), 1000).await;
    let ring = bell.rung().await;

    assert!(matches!(ring, Ring::Available | Ring::Anything), "{ring:?}");
}

async fn makes_a_job_without_a_time_available(store: &dyn Store) {
    let id = enqueue(store, job("mail")).await;

    let record = record(store, id).await;
    assert_eq!(record.state, JobState::Available);
    assert_eq!((record.attempt, record.claimed_at), (0, None));
    assert_eq!((record.finished_at, record.failures), (None, Vec::new()));
}

async fn makes_a_job_with_a_delay_scheduled(store: &dyn Store) {
    let delayed = JobToEnqueue {
        run_at: RunAt::After(LONG),
        ..job("mail")
    };
    let before = store.now().await.unwrap();

    let id = enqueue(store, delayed).await;

    let after = store.now().await.unwrap();
    let record = record(store, id).await;
    let run_at = record.run_at.expect("it is not finished");
    assert_eq!(record.state, JobState::Scheduled);
    assert!((before + LONG..=after + LONG).contains(&run_at), "{run_at}");
}

async fn makes_a_job_without_delay_available(store: &dyn Store) {
    let without_delay = JobToEnqueue {
        run_at: RunAt::After(Duration::ZERO),
        ..job("mail")
    };

    let id = enqueue(store, without_delay).await;

    assert_eq!(state(store, id).await, JobState::Available);
}

async fn makes_a_job_of_the_future_scheduled(store: &dyn Store) {
    let time = seconds_from_now(store, 3600).await;
    let job = JobToEnqueue {
        run_at: RunAt::At(time),
        ..job("mail")
    };

    let id = enqueue(store, job).await;

    let record = record(store, id).await;
    assert_eq!(record.state, JobState::Scheduled);
    assert_eq!(record.run_at, Some(time));
}

async fn makes_a_job_of_the_past_available(store: &dyn Store) {
    let time = seconds_from_now(store, -3600).await;
    let job = JobToEnqueue {
        run_at: RunAt::At(time),
        ..job("mail")
    };

    let id = enqueue(store, job).await;

    assert_eq!(state(store, id).await, JobState::Available);
}

async fn keeps_every_byte_of_a_payload(store: &dyn Store) {
    let payload = Payload {
        codec: Codec::Framed,
        bytes: (0..=255).chain([0, 0]).collect(),
    };
    let session = open_session(store).await;
    let job = JobToEnqueue {
        payload: payload.clone(),
        ..job("mail")
    };

    let id = enqueue(store, job).await;

    assert_eq!(record(store, id).await.payload, Some(payload.clone()));
    let claimed = claim(store, session, &["mail"], 1).await;
    assert_eq!(claimed[0].payload, payload);
}

async fn keeps_an_empty_payload(store: &dyn Store) {
    let payload = Payload {
        codec: Codec::Framed,
        bytes: Vec::new(),
    };
    let job = JobToEnqueue {
        payload: payload.clone(),
        ..job("mail")
    };

    let id = enqueue(store, job).await;

    assert_eq!(record(store, id).await.payload, Some(payload));
}

async fn keeps_the_codec(store: &dyn Store) {
    let jobs = [Codec::Framed, Codec::Json].map(|codec| JobToEnqueue {
        payload: Payload {
            codec,
            bytes: b"{}".to_vec(),
        },
        ..job("mail")
    });
    let session = open_session(store).await;

    store.enqueue(&jobs).await.unwrap();

    let claimed = claim(store, session, &["mail"], 2).await;
    let codecs: Vec<Codec> = claimed.iter().map(|it| it.payload.codec).collect();
    assert_eq!(codecs, [Codec::Framed, Codec::Json]);
}

async fn keeps_the_headers(store: &dyn Store) {
    let headers = Headers::from([
        ("tenant".to_owned(), "Ægir & \"Søn\" \\ 100 %".to_owned()),
        (String::new(), "the name is empty".to_owned()),
        ("empty".to_owned(), String::new()),
    ]);
    let session = open_session(store).await;
    let job = JobToEnqueue {
        headers: headers.clone(),
        ..job("mail")
    };

    let id = enqueue(store, job).await;

    assert_eq!(record(store, id).await.headers, headers);
    let claimed = claim(store, session, &["mail"], 1).await;
    assert_eq!(claimed[0].headers, headers);
}

async fn keeps_the_extreme_priorities(store: &dyn Store) {
    let jobs = [i16::MIN, 0, i16::MAX].map(|priority| JobToEnqueue {
        priority,
        ..job("mail")
    });
    let session = open_session(store).await;

    store.enqueue(&jobs).await.unwrap();

    let claimed = claim(store, session, &["mail"], 3).await;
    let priorities: Vec<i16> = claimed.iter().map(|it| it.priority).collect();
    assert_eq!(priorities, [i16::MAX, 0, i16::MIN]);
}

async fn stamps_the_time_of_the_store(store: &dyn Store) {
    // A store may keep less than nanoseconds.
    let resolution = TimeDelta::microseconds(1);
    let before = store.now().await.unwrap() - resolution;

    let id = enqueue(store, job("mail")).await;

    let after = store.now().await.unwrap() + resolution;
    let enqueued_at = record(store, id).await.enqueued_at;
    assert!((before..=after).contains(&enqueued_at), "{enqueued_at}");
}
