//! Keys that lead about.

use std::time::Duration;

use pgqueuer::{prelude::*, store::RunAt};
use tokio::time::Instant;

use super::{
    Screen,
    queue::{busy, enqueue},
};
use crate::{
    app::App,
    catalog::Catalog,
    commands::dashboard::{
        cursor::Key,
        data::Data,
        keys::Action,
        model::{Mode, Notice, Page, Sort, Trouble},
        update::Effect,
    },
};

#[tokio::test(start_paused = true)]
async fn keys_that_have_nothing_to_do_say_so() {
    let (pgq, _) = busy().await;
    for (keys, said) in [
        ("2c", "no job, kind or queue is chosen"),
        ("3r", "no job, kind or queue is chosen"),
        (
            "2p",
            "kinds, queues (page 1) and schedules (page 3) are paused",
        ),
        ("2s", "only kinds (page 1) are sorted"),
        ("f", "only jobs (page 4) are filtered by state"),
        ("Gr", "no job of kind `monthly_report` is held"),
        ("4n", "there are no more jobs"),
        ("4b", "these are the first jobs"),
        (
            "4/nothing<enter>",
            "no kind or queue, nor one alone, has `nothing`",
        ),
    ] {
        let mut screen = Screen::open(&pgq).await;
        screen.press(keys).await;
        assert_eq!(screen.said(), said, "{keys}");
    }
}

#[tokio::test(start_paused = true)]
async fn pages_are_opened_and_left() {
    let (pgq, ids) = busy().await;
    let mut screen = Screen::open(&pgq).await;
    for (keys, page) in [
        ("2", Page::Workers),
        ("<tab>", Page::Schedules),
        ("<tab>", Page::Jobs),
        ("<tab>", Page::Kinds),
        ("<backtab>", Page::Jobs),
        ("<enter>", Page::Job(ids.held[0])),
        ("<esc>", Page::Jobs),
        ("<down><enter>", Page::Job(ids.held[1])),
        ("3<enter>", Page::Jobs),
        ("1j<enter>", Page::Jobs),
    ] {
        screen.press(keys).await;
        assert_eq!(screen.model.page, page, "{keys}");
    }
    // Those of the kind, and of no other.
    assert_eq!(screen.model.jobs.len(), 3);
    screen.press("?q").await;
    assert_eq!(screen.model.mode, Mode::Browse);
    assert!(!screen.has_quit);
    screen.press("q").await;
    assert!(screen.has_quit);
}

#[tokio::test(start_paused = true)]
async fn jobs_are_filtered_by_state_kind_and_queue() {
    let (pgq, ids) = busy().await;
    let mut screen = Screen::open(&pgq).await;
    for (keys, shown) in [
        ("4", 22),
        ("f", 3),
        ("f", 2),
        ("f", 13),
        ("f", 4),
        ("f", 22),
        ("/welc<enter>", 12),
        ("/mail<enter>", 16),
        ("f", 0),
        ("<esc>", 22),
        ("/mail<esc>", 22),
        ("/mailx<backspace><enter>", 16),
        ("/<enter>", 22),
    ] {
        screen.press(keys).await;
        assert_eq!(screen.model.jobs.len(), shown, "{keys}: {}", screen.said());
    }
    screen.press(&format!("/{}<enter>", ids.scheduled[1])).await;
    assert!(screen.draw(80, 24).contains("state     scheduled"));
    screen.press("/123456<enter>").await;
    assert!(screen.draw(80, 24).contains("there is no job 123456"));
}

#[tokio::test(start_paused = true)]
async fn long_lists_have_pages() {
    let (pgq, _) = busy().await;
    let many = enqueue(&pgq, "send_welcome", 250, RunAt::Now).await;
    let mut screen = Screen::open(&pgq).await;
    let first = |screen: &Screen| screen.model.jobs[0].id;
    screen.press("4/welc<enter>").await;
    let begin = first(&screen);
    screen.press("n<right>").await;
    assert_eq!(first(&screen), many[188]);
    assert_eq!(screen.model.jobs.len(), 62);
    assert!(screen.draw(80, 24).contains("page 3"));
    screen.press("n").await;
    assert_eq!(screen.said(), "there are no more jobs");
    screen.press("b<left>").await;
    assert_eq!(first(&screen), begin);
    // The end of the list, and a screen up from there.
    let lines = screen.model.lines;
    screen.press("G<pageup>").await;
    assert_eq!(
        screen.model.selected(),
        Some(Key::Job(screen.model.jobs[99 - lines].id))
    );
    screen.press("g").await;
    assert_eq!(screen.model.selected(), Some(Key::Job(begin)));
}

#[tokio::test(start_paused = true)]
async fn kinds_are_searched_and_sorted() {
    let (pgq, _) = busy().await;
    let mut screen = Screen::open(&pgq).await;
    let names = |screen: &Screen| -> Vec<String> {
        let rows = screen.model.kind_rows().into_iter();
        rows.map(|it| it.name.trim().to_owned()).collect()
    };
    screen.press("/REP").await;
    assert_eq!(names(&screen), ["reports", "monthly_report"]);
    screen.press("<enter>").await;
    assert_eq!(screen.model.mode, Mode::Browse);
    assert_eq!(names(&screen).len(), 2);
    screen.press("<esc>").await;
    assert_eq!(names(&screen).len(), 8);
    for (sort, first) in [
        (Sort::Kind, "import_orders"),
        (Sort::Waiting, "send_welcome"),
        (Sort::Held, "import_orders"),
        (Sort::Oldest, "monthly_report"),
        (Sort::Rate, "send_welcome"),
        (Sort::Slowest, "send_welcome"),
        (Sort::Queue, "default"),
    ] {
        screen.press("s").await;
        assert_eq!(
            (screen.model.sort, names(&screen)[0].as_str()),
            (sort, first)
        );
    }
}

#[job]
async fn count_sheep(pasture: String, sheep: u32) {
    let _ = (pasture, sheep);
}

/// By their types where the program has them, else by the names that a worker has published.
#[tokio::test(start_paused = true)]
async fn arguments_are_shown_by_their_types() {
    let (pgq, _) = busy().await;
    let worker = pgq.worker().build().unwrap();
    worker.drain().await.unwrap();
    let pasture = "north".to_owned();
    let job = CountSheep { pasture, sheep: 3 };
    let id = job.options().delay("1h").enqueue(&pgq).await.unwrap().id();
    let mut screen = Screen::open(&pgq).await;
    screen.press(&format!("4/{id}<enter>")).await;
    let published = screen.draw(120, 24);
    screen.model.catalog = Catalog::built_in(App::new(), &pgq).unwrap();
    screen.press("u").await;
    let built_in = screen.draw(120, 24);
    let signature = "arguments count_sheep(pasture: String, sheep: u32)";
    assert!(published.contains(signature), "{published}");
    let json = r#"arguments {"pasture":"north","sheep":3}"#;
    assert!(built_in.contains(json), "{built_in}");
}

/// An answer to what was asked for before is not taken for what is asked for now.
#[tokio::test(start_paused = true)]
async fn late_answers_are_not_shown() {
    let (pgq, _) = busy().await;
    let mut screen = Screen::open(&pgq).await;
    screen.press("4").await;
    let late = Data::read(&pgq, screen.model.wanted(), || ())
        .await
        .unwrap();
    let effect = screen.model.update(Action::Filter);
    assert_eq!(effect, Some(Effect::Read));
    screen.model.show(late);
    assert!(screen.draw(80, 24).contains("it is being read"));
    assert_eq!(screen.model.update(Action::Requeue), None);
    assert_eq!(screen.said(), "it is being read…");
    screen.read().await;
    assert_eq!(screen.model.jobs.len(), 3);
}

/// What is chosen stays so when lines come above it, so that keys do not hit another.
#[tokio::test(start_paused = true)]
async fn the_chosen_line_stays_chosen() {
    let (pgq, _) = busy().await;
    let mut screen = Screen::open(&pgq).await;
    screen.press("ssj").await;
    let chosen = screen.model.selected();
    assert_eq!(chosen, Some(Key::Kind("monthly_report".to_owned())));
    enqueue(&pgq, "send_reminder", 99, RunAt::Now).await;
    screen.press("u").await;
    assert_eq!(screen.model.selected(), chosen);
    assert_eq!(screen.model.kind_rows()[0].name, "send_reminder");
}

/// What is gone leaves the keys without an object, instead of with its neighbour.
#[tokio::test(start_paused = true)]
async fn keys_do_not_hit_the_neighbour_of_what_is_gone() {
    let (pgq, ids) = busy().await;
    let mut screen = Screen::open(&pgq).await;
    screen.press("4fj").await;
    let [first, chosen, next] = ids.held[..] else {
        panic!("{:?}", ids.held);
    };
    assert_eq!(screen.model.selected(), Some(Key::Job(chosen)));
    pgq.discard(&pgqueuer::JobFilter::ids([chosen]))
        .await
        .unwrap();
    screen.press("u").await;
    for keys in ["r", "c", "d", "p", "<enter>r"] {
        screen.press(keys).await;
        assert_eq!(screen.said(), format!("job {chosen} is gone"), "{keys}");
        assert_eq!(screen.model.mode, Mode::Browse, "{keys}");
    }
    assert!(!screen.draw(80, 24).contains("\n>"));
    // The next is the one in its place, and the one before stays so.
    screen.press("j").await;
    assert_eq!(screen.model.selected(), Some(Key::Job(next)));
    screen.press("r").await;
    assert_eq!(screen.said(), format!("job {next}: requeued 1"));
    screen.press("k").await;
    assert_eq!(screen.model.selected(), Some(Key::Job(first)));
}

/// What a key leaves out is not gone.
#[tokio::test(start_paused = true)]
async fn a_search_or_another_order_chooses_what_it_shows() {
    let (pgq, _) = busy().await;
    let mut screen = Screen::open(&pgq).await;
    screen.press("/import").await;
    screen.read().await;
    assert_eq!(
        screen.model.selected(),
        Some(Key::Queue(Some("default".to_owned())))
    );
    screen.press("x<backspace><enter>su").await;
    let kind = Key::Kind("import_orders".to_owned());
    assert_eq!(screen.model.selected(), Some(kind));
}

#[tokio::test(start_paused = true)]
async fn the_way_back_in_a_list_stays() {
    let (pgq, _) = busy().await;
    enqueue(&pgq, "send_welcome", 250, RunAt::Now).await;
    let mut screen = Screen::open(&pgq).await;
    screen.press("4nn").await;
    assert_eq!(screen.model.before.len(), 2);
    screen.press("1b<left>2b<enter>").await;
    assert_eq!(screen.model.before.len(), 2);
    screen.press("4<enter>b").await;
    assert_eq!(screen.model.before.len(), 2);
    screen.press("<esc><esc>").await;
    assert!(screen.model.before.is_empty());
}

/// A page that wraps is longer than its lines.
#[tokio::test(start_paused = true)]
async fn a_long_job_is_scrolled_to_its_end() {
    let (pgq, ids) = busy().await;
    let mut screen = Screen::open(&pgq).await;
    screen.press(&format!("4/{}<enter>", ids.held[0])).await;
    let found = screen.model.job.as_mut().unwrap().found.as_mut().unwrap();
    let long = format!("arguments {{\"path\":\"{}\"", "x".repeat(5000));
    found.text = found.text.replace("arguments {", &long);
    let last = "permission denied";
    assert!(!screen.draw(80, 24).contains(last));
    screen.model.update(Action::Last);
    let end = screen.draw(80, 24);
    assert!(end.lines().nth(21).unwrap().ends_with(last), "{end}");
    // Where there is place for more, it goes back to where that is filled.
    let wide = screen.draw(200, 100);
    assert!(wide.contains("state     held"), "{wide}");
    screen.draw(80, 24);
    for _ in 0..4 {
        screen.model.update(Action::Leaf(1));
        screen.draw(80, 24);
    }
    assert!(screen.draw(80, 24).contains(last));
}

#[tokio::test(start_paused = true)]
async fn space_freezes_and_trouble_is_told() {
    let (pgq, _) = busy().await;
    let mut screen = Screen::open(&pgq).await;
    screen.press(" ").await;
    assert!(screen.draw(80, 24).contains("as of 12:02:00 UTC, FROZEN"));
    screen.press(" ").await;
    assert!(screen.draw(80, 24).contains("every 5 s"));
    screen.model.rest = Duration::from_millis(14_980);
    assert!(screen.draw(80, 24).contains("every 15 s"));
    screen.model.trouble = Some(Trouble {
        message: "connection refused".to_owned(),
        newest: Instant::now(),
        is_slow: false,
    });
    assert!(screen.draw(80, 24).contains("0s old: connection refused"));
    tokio::time::advance(Duration::from_millis(9_050)).await;
    assert!(screen.draw(80, 24).contains("9s old: connection refused"));
    tokio::time::advance(Duration::from_secs(6)).await;
    assert!(screen.draw(80, 24).contains("15s old: connection refused"));
    // It gets older, and what somebody is told besides does not hide it.
    tokio::time::advance(Duration::from_secs(7)).await;
    for (notice, said) in [
        (
            Notice::Done("resumed everything".to_owned()),
            "resumed everything",
        ),
        (Notice::Doing, "working…"),
        (Notice::Refused("no ".repeat(100)), "no no no"),
    ] {
        screen.model.notice = Some(notice);
        for width in [80, 120] {
            let drawn = screen.draw(width, 24);
            assert!(drawn.contains(said), "{drawn}");
            assert!(drawn.contains("22s old: connection refused"), "{drawn}");
        }
    }
    screen.press("u").await;
    assert!(!screen.draw(80, 24).contains("refused"));
}
