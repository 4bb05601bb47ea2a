//! The jobs: async functions. Each makes a struct of its arguments, and registers itself.

use pgqueuer::prelude::*;

use crate::story::{Scene, Story, narrate};

/// Sends the welcome mail.
#[job(queue = "mail", timeout = "30s")]
pub(crate) async fn send_welcome(user_id: i64, locale: String, story: State<Story>) {
    narrate!(
        story,
        "run",
        "send_welcome: user {user_id}, in \"{locale}\""
    );
    story.saw(Scene::Welcome);
}

/// Fails twice before it succeeds.
#[job(max_attempts = 5, backoff(base = "400ms", factor = 2))]
pub(crate) async fn pay_invoice(
    invoice: i64,
    amount: f64,
    context: &Context,
    story: State<Story>,
) -> Result<(), String> {
    let attempt = context.attempt();
    if attempt < 3 {
        narrate!(
            story,
            "fail",
            "pay_invoice: attempt {attempt} for invoice {invoice}, to be retried"
        );
        return Err("the payment service answered 503".to_owned());
    }
    narrate!(
        story,
        "run",
        "pay_invoice: attempt {attempt} paid {amount:.2} for invoice {invoice}"
    );
    story.saw(Scene::Payment);
    Ok(())
}

/// Runs when it is due.
#[job(queue = "mail")]
pub(crate) async fn send_reminder(user_id: i64, context: Context, story: State<Story>) {
    let asked_by = context.header("asked-by").unwrap_or("nobody");
    narrate!(
        story,
        "run",
        "send_reminder: user {user_id}, asked for by {asked_by}"
    );
    story.saw(Scene::Reminder);
}

/// One of many.
#[job(retain = "1h")]
pub(crate) async fn thumbnail(picture: i64, width: u32, story: State<Story>) {
    if story.count_thumbnail() == 200 {
        narrate!(
            story,
            "run",
            "thumbnail: the last of 200 ({picture}, {width} pixels wide)"
        );
        story.saw(Scene::Thumbnails);
    }
}

/// Cannot succeed, so it ends up held, for a person to look at.
#[job(max_attempts = 2, backoff = "200ms", on_failure = "hold")]
pub(crate) async fn import(
    path: String,
    context: &Context,
    story: State<Story>,
) -> std::io::Result<()> {
    if context.is_last_attempt() {
        narrate!(
            story,
            "hold",
            "import: failed for the last time; kept for a person to decide"
        );
        story.saw(Scene::Held);
    }
    Err(std::io::Error::other(format!("{path}: permission denied")))
}

/// Every second; one job for each tick, however many workers there are.
#[schedule("* * * * * *")]
pub(crate) async fn heartbeat(story: State<Story>) {
    narrate!(story, "tick", "heartbeat: scheduled with \"* * * * * *\"");
    story.saw(Scene::Tick);
}
