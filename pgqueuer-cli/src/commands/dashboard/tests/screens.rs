//! What is on the screen, without colours.

use expect_test::expect_file;
use pgqueuer::{PgQueuer, store::RunAt};

use super::{
    Screen,
    queue::{busy, enqueue},
};
use crate::commands::dashboard::{Theme, view};

#[tokio::test(start_paused = true)]
async fn kinds() {
    let (pgq, _) = busy().await;
    let mut screen = Screen::open(&pgq).await;
    expect_file!["screens/kinds-80.txt"].assert_eq(&screen.draw(80, 24));
    expect_file!["screens/kinds-200.txt"].assert_eq(&screen.draw(200, 50));
    screen.press("ss").await;
    expect_file!["screens/kinds-by-waiting-120.txt"].assert_eq(&screen.draw(120, 24));
    expect_file!["screens/kinds-once.txt"].assert_eq(&(view::plain(&screen.model, 130) + "\n"));
}

#[tokio::test(start_paused = true)]
async fn other_pages() {
    let (pgq, ids) = busy().await;
    let mut screen = Screen::open(&pgq).await;
    screen.press("2").await;
    expect_file!["screens/workers-80.txt"].assert_eq(&screen.draw(80, 24));
    screen.press("3<down>").await;
    expect_file!["screens/schedules-80.txt"].assert_eq(&screen.draw(80, 24));
    expect_file!["screens/schedules-200.txt"].assert_eq(&screen.draw(200, 50));
    screen.press("4").await;
    expect_file!["screens/jobs-80.txt"].assert_eq(&screen.draw(80, 24));
    expect_file!["screens/jobs-200.txt"].assert_eq(&screen.draw(200, 50));
    screen.press(&format!("/{}<enter>", ids.held[0])).await;
    expect_file!["screens/job-80.txt"].assert_eq(&screen.draw(80, 24));
}

#[tokio::test(start_paused = true)]
async fn what_is_over_a_page() {
    let (pgq, _) = busy().await;
    let mut screen = Screen::open(&pgq).await;
    screen.press("?").await;
    expect_file!["screens/help-80.txt"].assert_eq(&screen.draw(80, 24));
    screen.press("<esc>P").await;
    expect_file!["screens/question-80.txt"].assert_eq(&screen.draw(80, 24));
}

/// Whatever else has no place, how a question is answered is there.
#[tokio::test(start_paused = true)]
async fn questions_show_their_answers() {
    let (pgq, _) = busy().await;
    let long = "a_kind_whose_name_is_longer_than_what_fits_in_a_line_".repeat(4);
    enqueue(&pgq, &long, 1, RunAt::Now).await;
    for (keys, width, height) in [("P", 40, 10), ("Gc", 80, 24), ("Gc", 40, 10), ("Gc", 30, 5)] {
        let mut screen = Screen::open(&pgq).await;
        screen.press(keys).await;
        let drawn = screen.draw(width, height);
        assert!(drawn.contains("y yes    n no"), "{drawn}");
    }
}

/// A wide letter takes two places, and no space comes after it.
#[tokio::test(start_paused = true)]
async fn wide_letters() {
    let pgq = PgQueuer::in_memory();
    enqueue(&pgq, "日本", 1, RunAt::Now).await;
    let mut screen = Screen::open(&pgq).await;
    for text in [view::plain(&screen.model, 130), screen.draw(80, 24)] {
        assert!(text.contains("日本"), "{text}");
        let column = |line: &str, of: &str| {
            let before = line.split(of).next().unwrap_or_default();
            ratatui::text::Line::raw(before.to_owned()).width()
        };
        let title = text.lines().find(|it| it.contains("WAITING")).unwrap();
        let line = text.lines().find(|it| it.contains("日本")).unwrap();
        assert_eq!(column(title, "WAITING") + 6, column(line, "1"), "{text}");
    }
}

/// The last screen of a list is a full one.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_list() {
    let (pgq, _) = busy().await;
    let mut screen = Screen::open(&pgq).await;
    screen.press("4").await;
    let first = |drawn: &str| drawn.lines().nth(3).unwrap().trim_start().to_owned();
    assert!(first(&screen.draw(80, 14)).starts_with(">  1 "));
    screen.press("<end>").await;
    let end = screen.draw(80, 14);
    assert!(first(&end).starts_with("17 "), "{end}");
    assert!(end.lines().nth(11).unwrap().starts_with("> 25 "), "{end}");
}

/// However small it is, nothing panics.
#[tokio::test(start_paused = true)]
async fn any_size() {
    let (busy, _) = busy().await;
    for pgq in [busy, PgQueuer::in_memory()] {
        let mut screen = Screen::open(&pgq).await;
        for keys in ["1", "2", "3", "4", "4/1<enter>", "?", "<esc>1P"] {
            screen.press(keys).await;
            for (width, height) in [(1, 1), (3, 2), (10, 5), (40, 10), (79, 17), (300, 3)] {
                let drawn = screen.draw(width, height);
                assert_eq!(drawn.lines().count(), usize::from(height));
            }
        }
    }
}

/// Colours say nothing that words do not: only they are different.
#[tokio::test(start_paused = true)]
async fn colours_only_repeat_words() {
    let (pgq, _) = busy().await;
    let screen = Screen::open(&pgq).await;
    let area = ratatui::layout::Rect::new(0, 0, 80, 24);
    let text = |theme| {
        let mut buffer = ratatui::buffer::Buffer::empty(area);
        view::draw(&screen.model, theme, area, &mut buffer);
        let is_coloured = buffer
            .content
            .iter()
            .any(|it| it.fg != ratatui::style::Color::Reset);
        let symbols: String = buffer
            .content
            .iter()
            .map(ratatui::buffer::Cell::symbol)
            .collect();
        (symbols, is_coloured)
    };
    let ((plain, none), (coloured, some)) = (text(Theme::Plain), text(Theme::Coloured));
    assert_eq!(plain, coloured);
    assert_eq!((none, some), (false, true));
}
