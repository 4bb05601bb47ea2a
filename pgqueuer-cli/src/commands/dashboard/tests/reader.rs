//! How often it is read when that takes long, or does not end.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use pgqueuer::{PgQueuer, Result};
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

use crate::commands::dashboard::{
    data::{Data, Query, Wanted},
    feed::News,
    reader::{Asked, NO_ANSWER, Reader, Source},
};

const INTERVAL: Duration = Duration::from_secs(5);
const SCAN: Duration = Duration::from_secs(40);

/// An empty queue in which jobs are found after a long time, and which is silent at first if it
/// `swallows`: from the beginning, or `after_overview`.
#[derive(Clone)]
struct Slow {
    pgq: PgQueuer,
    swallows: usize,
    after_overview: bool,
    reads: Arc<Mutex<Reads>>,
}

#[derive(Default)]
struct Reads {
    begun: usize,
    under_way: usize,
    most: usize,
}

impl Source for Slow {
    async fn read(&self, wanted: Wanted, has_overview: impl FnOnce() + Send) -> Result<Data> {
        let begun = {
            let mut reads = self.reads.lock().unwrap();
            reads.begun += 1;
            reads.under_way += 1;
            reads.most = reads.most.max(reads.under_way);
            reads.begun
        };
        if begun <= self.swallows {
            if self.after_overview {
                has_overview();
            }
            match std::future::pending::<Infallible>().await {}
        }
        has_overview();
        if let Wanted::Jobs(_) = wanted {
            sleep(SCAN).await;
        }
        self.reads.lock().unwrap().under_way -= 1;
        Data::read(&self.pgq, wanted, || ()).await
    }
}

struct Running {
    asked: watch::Sender<Asked>,
    news: mpsc::Receiver<News>,
    reads: Arc<Mutex<Reads>>,
}

impl Running {
    fn start(swallows: usize) -> Self {
        Self::start_with(swallows, false)
    }

    fn start_with(swallows: usize, after_overview: bool) -> Self {
        let reads = Arc::default();
        let source = Slow {
            pgq: PgQueuer::in_memory(),
            swallows,
            after_overview,
            reads: Arc::clone(&reads),
        };
        let (asked, asks) = watch::channel(Asked::default());
        let (to, news) = mpsc::channel(1);
        tokio::spawn(Reader::new(source, INTERVAL, asks, to).run());
        Self { asked, news, reads }
    }

    fn ask(&self, wanted: Wanted) {
        self.asked.send_modify(|it| {
            it.wanted = wanted;
            it.times += 1;
        });
    }

    /// What is told until it has been read, and how long it rests then.
    async fn told(&mut self) -> (Vec<String>, Duration) {
        let mut told = Vec::new();
        loop {
            match self.news.recv().await.unwrap() {
                News::Read { rest, .. } => return (told, rest),
                News::Failed(trouble) => told.push(trouble.message),
                News::Done(done) => panic!("{done:?}"),
            }
        }
    }

    /// How many were begun in an hour, and how many at once.
    async fn in_an_hour(&mut self) -> (usize, usize) {
        let before = self.reads.lock().unwrap().begun;
        let hour = timeout(Duration::from_secs(3600), async {
            while self.news.recv().await.is_some() {}
        });
        hour.await.unwrap_err();
        let reads = self.reads.lock().unwrap();
        (reads.begun - before, reads.most)
    }
}

fn jobs() -> Wanted {
    Wanted::Jobs(Query::default())
}

#[tokio::test(start_paused = true)]
async fn a_slow_list_is_no_outage_and_is_shown() {
    let mut running = Running::start(0);
    running.ask(jobs());
    let (told, rest) = running.told().await;
    assert_eq!(told, ["still reading"; 13]);
    assert_eq!(rest, Duration::from_secs(15));
    // One after the other.
    let (begun, most) = running.in_an_hour().await;
    assert!((60..=66).contains(&begun), "{begun}");
    assert_eq!(most, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_does_not_wait_for_a_slow_list() {
    let mut running = Running::start(0);
    running.ask(jobs());
    tokio::time::advance(INTERVAL / 5).await;
    running.ask(Wanted::Overview);
    let (told, rest) = timeout(INTERVAL / 5, running.told()).await.unwrap();
    assert_eq!((told, rest), (Vec::new(), INTERVAL));
    // And however often it is asked for, no more than two are under way.
    for _ in 0..10 {
        running.ask(jobs());
        sleep(INTERVAL / 5).await;
    }
    let (begun, most) = running.in_an_hour().await;
    assert!(begun < 75, "{begun}");
    assert_eq!(most, 2);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_swallowed_does_not_end_the_reading() {
    let mut running = Running::start(1);
    let (told, _) = running.told().await;
    assert!(told.len() > 15, "{told:?}");
    assert!(told.iter().all(|it| it == NO_ANSWER), "{told:?}");
    let (begun, most) = running.in_an_hour().await;
    assert!((700..=720).contains(&begun), "{begun}");
    assert_eq!(most, 2);
    // Nor is it begun again and again.
    let mut running = Running::start(usize::MAX);
    assert_eq!(running.in_an_hour().await, (2, 2));
}

#[tokio::test(start_paused = true)]
async fn nor_does_one_that_is_swallowed_after_its_overview() {
    let mut running = Running::start_with(1, true);
    let (told, _) = running.told().await;
    assert!(told.iter().all(|it| it == "still reading"), "{told:?}");
    let (begun, most) = running.in_an_hour().await;
    assert!((700..=720).contains(&begun), "{begun}");
    assert_eq!(most, 2);
}

/// What is on the screen stays there, also if a read was under way.
#[tokio::test(start_paused = true)]
async fn what_is_read_by_itself_is_not_told_once_it_is_frozen() {
    let mut running = Running::start(0);
    running.ask(jobs());
    let (_, rest) = running.told().await;
    sleep(rest + INTERVAL / 5).await;
    assert_eq!(running.reads.lock().unwrap().under_way, 1);
    running.asked.send_modify(|it| it.is_frozen = true);
    let next = timeout(SCAN * 10, running.news.recv()).await;
    assert!(next.is_err(), "{next:?}");
}

/// A terminal that takes nothing may stay so for a night.
#[tokio::test(start_paused = true)]
async fn nothing_is_read_while_nobody_takes_it() {
    let mut running = Running::start(0);
    sleep(Duration::from_secs(3600)).await;
    assert!(running.reads.lock().unwrap().begun < 5);
    running.told().await;
}
