use pgqueuer::job;

const MAIL: &str = "mail";

#[job(queue = MAIL)]
async fn constant() {}

#[job(name = send_welcome)]
async fn bare_word() {}

#[job(queue("mail"))]
async fn parentheses() {}

#[job(aliases = "old")]
async fn one_alias() {}

#[job(aliases("old"))]
async fn alias_list() {}

#[job(aliases = ["old", 5])]
async fn number_among_aliases() {}

#[job(on_failure = hold)]
async fn choice() {}

fn main() {}
