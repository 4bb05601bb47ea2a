use pgqueuer::job;

#[job(name = "")]
async fn empty() {}

#[job(name = "send welcome")]
async fn white_space() {}

#[job(queue = "mail\u{7}")]
async fn control_character() {}

#[job(queue = "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm")]
async fn long() {}

#[job(aliases = ["fine", "not fine"])]
async fn alias() {}

fn main() {}
