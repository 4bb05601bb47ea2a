//! Keys that do something to the queue: each does what it says, and asks where it matters.

use std::time::Duration;

use pgqueuer::{JobFilter, JobId, JobState, PgQueuer, Scope, store::RunAt};

use super::{
    Screen,
    queue::{Ids, busy, enqueue},
};
use crate::commands::dashboard::model::Mode;

async fn state(pgq: &PgQueuer, id: JobId) -> JobState {
    pgq.get_job(id).await.unwrap().unwrap().state
}

async fn states(pgq: &PgQueuer, ids: &[JobId]) -> Vec<JobState> {
    let mut states = Vec::new();
    for id in ids {
        states.push(state(pgq, *id).await);
    }
    states
}

async fn is_paused(pgq: &PgQueuer, scope: Scope) -> bool {
    let limits = pgq.list_limits().await.unwrap();
    limits
        .iter()
        .any(|it| it.scope == scope && it.paused_at.is_some())
}

/// Where the job of an id is in the list of jobs, chosen.
fn to_job(id: JobId) -> String {
    format!("4/{id}<enter>")
}

/// Keys, what they say in the status line, and what the jobs are then, which were held, waiting,
/// running and scheduled.
struct Case {
    keys: fn(&Ids) -> String,
    said: &'static str,
    becomes: [JobState; 4],
}

const BEFORE: [JobState; 4] = [
    JobState::Held,
    JobState::Available,
    JobState::Running,
    JobState::Scheduled,
];

/// `before`, but for one.
const fn but(index: usize, state: JobState) -> [JobState; 4] {
    let mut states = BEFORE;
    states[index] = state;
    states
}

const CASES: [Case; 17] = [
    Case {
        keys: |ids| to_job(ids.held[0]) + "r",
        said: "job 1: requeued 1",
        becomes: but(0, JobState::Available),
    },
    Case {
        keys: |ids| to_job(ids.scheduled[0]) + "r",
        said: "job 22: requeued 1",
        becomes: but(3, JobState::Available),
    },
    Case {
        keys: |ids| to_job(ids.waiting[0]) + "r",
        said: "job 9 is not held or scheduled: nothing was done",
        becomes: BEFORE,
    },
    Case {
        keys: |ids| to_job(ids.waiting[0]) + "cy",
        said: "job 9: cancelled 1 that waited",
        becomes: but(1, JobState::Cancelled),
    },
    Case {
        keys: |ids| to_job(ids.waiting[0]) + "cn",
        said: "nothing was done",
        becomes: BEFORE,
    },
    Case {
        keys: |ids| to_job(ids.waiting[0]) + "c<esc>",
        said: "nothing was done",
        becomes: BEFORE,
    },
    // It runs until its worker has heard of it.
    Case {
        keys: |ids| to_job(ids.running[0]) + "cy",
        said: "job 7: cancelled 0 that waited, and told 1 that run",
        becomes: BEFORE,
    },
    Case {
        keys: |ids| to_job(ids.running[0]) + "cycy",
        said: "job 7 is not unfinished, or was told already: nothing was done",
        becomes: BEFORE,
    },
    Case {
        keys: |ids| to_job(ids.held[0]) + "dy",
        said: "job 1: discarded 1",
        becomes: but(0, JobState::Discarded),
    },
    Case {
        keys: |ids| to_job(ids.held[0]) + "dn",
        said: "nothing was done",
        becomes: BEFORE,
    },
    Case {
        keys: |ids| to_job(ids.waiting[0]) + "dy",
        said: "job 9 is not held: nothing was done",
        becomes: BEFORE,
    },
    // In the list: the first of those that are held.
    Case {
        keys: |_| "4fr".to_owned(),
        said: "job 1: requeued 1",
        becomes: but(0, JobState::Available),
    },
    Case {
        keys: |_| "4fcy".to_owned(),
        said: "job 1: cancelled 1 that waited",
        becomes: but(0, JobState::Cancelled),
    },
    // All of a kind: `import_orders` is the second line, below its queue.
    Case {
        keys: |_| "jry".to_owned(),
        said: "requeued 3",
        becomes: but(0, JobState::Available),
    },
    Case {
        keys: |_| "jdy".to_owned(),
        said: "discarded 3",
        becomes: but(0, JobState::Discarded),
    },
    Case {
        keys: |_| "jdn".to_owned(),
        said: "nothing was done",
        becomes: BEFORE,
    },
    // All of a queue: the first line is `default`, whose jobs are held and running.
    Case {
        keys: |_| "cy".to_owned(),
        said: "cancelled 3 that waited, and told 2 that run",
        becomes: but(0, JobState::Cancelled),
    },
];

#[tokio::test(start_paused = true)]
async fn jobs_are_requeued_cancelled_and_discarded() {
    for Case {
        keys,
        said,
        becomes,
    } in CASES
    {
        let (pgq, ids) = busy().await;
        let mut screen = Screen::open(&pgq).await;
        let keys = keys(&ids);
        screen.press(&keys).await;
        let first = [
            ids.held[0],
            ids.waiting[0],
            ids.running[0],
            ids.scheduled[0],
        ];
        assert_eq!(screen.said(), said, "{keys}");
        assert_eq!(states(&pgq, &first).await, becomes, "{keys}");
    }
}

#[tokio::test(start_paused = true)]
async fn questions_name_what_and_how_many() {
    let (pgq, ids) = busy().await;
    for (keys, asked) in [
        (
            "c",
            "Cancel 5 unfinished jobs of queue `default`?".to_owned(),
        ),
        (
            "jc",
            "Cancel 3 unfinished jobs of kind `import_orders`?".to_owned(),
        ),
        (
            "jd",
            "Discard 3 held jobs of kind `import_orders`?".to_owned(),
        ),
        (
            "jr",
            "Requeue 3 held jobs of kind `import_orders`?".to_owned(),
        ),
        (
            "P",
            "Pause everything: no job of 5 kinds is begun until it is resumed?".to_owned(),
        ),
        (
            "4c",
            format!("Cancel job {} (`import_orders`, held)?", ids.held[0]),
        ),
        (
            "4<enter>d",
            format!(
                "Discard job {} (`import_orders`, held), and delete its arguments?",
                ids.held[0]
            ),
        ),
    ] {
        let mut screen = Screen::open(&pgq).await;
        screen.press(keys).await;
        let Mode::Confirm(question) = &screen.model.mode else {
            panic!("{keys} asks nothing: {}", screen.said());
        };
        assert_eq!(question.text, asked, "{keys}");
        // Any other key leaves it open.
        screen.press("x<enter><down>").await;
        assert!(matches!(screen.model.mode, Mode::Confirm(_)), "{keys}");
    }
    assert_eq!(states(&pgq, &ids.held).await, [JobState::Held; 3]);
}

/// What was agreed to is what was said: not what has come since.
#[tokio::test(start_paused = true)]
async fn questions_hold_for_what_they_say() {
    let (pgq, ids) = busy().await;
    let mut screen = Screen::open(&pgq).await;
    screen.press("jc").await;
    let later = enqueue(&pgq, "import_orders", 2, RunAt::Now).await;
    tokio::time::advance(Duration::from_secs(1)).await;
    screen.read().await;
    let Mode::Confirm(question) = &screen.model.mode else {
        panic!("{}", screen.said());
    };
    let text = "Cancel 5 unfinished jobs of kind `import_orders`?";
    assert_eq!(question.text, text);
    assert!(!question.is_seen);
    let last = enqueue(&pgq, "import_orders", 1, RunAt::Now).await;
    screen.press("y").await;
    assert_eq!(screen.said(), "cancelled 5 that waited");
    assert_eq!(states(&pgq, &later).await, [JobState::Cancelled; 2]);
    assert_eq!(states(&pgq, &last).await, [JobState::Available]);

    // What is gone by then is not asked about any more.
    screen.press("gjd").await;
    assert_eq!(screen.said(), "no job of kind `import_orders` is held");
    let mut screen = Screen::open(&pgq).await;
    screen
        .press(&(to_job(ids.waiting[0]) + "1<end><up>c"))
        .await;
    assert!(matches!(screen.model.mode, Mode::Confirm(_)));
    pgq.cancel(&JobFilter::all(), "").await.unwrap();
    screen.read().await;
    assert_eq!(screen.model.mode, Mode::Browse);
    assert!(
        screen.said().ends_with(" is unfinished"),
        "{}",
        screen.said()
    );
}

#[tokio::test(start_paused = true)]
async fn kinds_queues_schedules_and_everything_are_paused_and_resumed() {
    let (pgq, _) = busy().await;
    let mut screen = Screen::open(&pgq).await;
    for (keys, said, scope, paused) in [
        (
            "p",
            "paused queue `default`",
            Scope::Queue("default".to_owned()),
            true,
        ),
        (
            "p",
            "resumed queue `default`",
            Scope::Queue("default".to_owned()),
            false,
        ),
        (
            "jp",
            "paused kind `import_orders`",
            Scope::Kind("import_orders".to_owned()),
            true,
        ),
        (
            "p",
            "resumed kind `import_orders`",
            Scope::Kind("import_orders".to_owned()),
            false,
        ),
        ("Pn", "nothing was done", Scope::Everything, false),
        ("Py", "paused everything", Scope::Everything, true),
        ("P", "resumed everything", Scope::Everything, false),
    ] {
        screen.press(keys).await;
        assert_eq!(screen.said(), said, "{keys}");
        assert_eq!(is_paused(&pgq, scope).await, paused, "{keys}: {said}");
    }
    // Of the first schedule by name.
    for (keys, is_paused) in [("3p", true), ("p", false)] {
        screen.press(keys).await;
        let schedule = &pgq.list_schedules().await.unwrap()[0];
        assert_eq!(schedule.paused_at.is_some(), is_paused, "{}", screen.said());
    }
}
