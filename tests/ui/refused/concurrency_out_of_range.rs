use pgqueuer::job;

#[job(concurrency = 0)]
async fn never() {}

#[job(concurrency = -1)]
async fn less_than_never() {}

#[job(concurrency = "2")]
async fn in_words() {}

#[job(concurrency)]
async fn of_what() {}

#[job(concurrency(limit = 0, by = customer))]
async fn never_of_each(customer: i64) {
    let _ = customer;
}

fn main() {}
