use pgqueuer::{Context, job};

#[job(concurrency(limit = 1, by = tenant))]
async fn of_whom(customer: i64, _context: Context) {
    let _ = customer;
}

#[job(concurrency(limit = 1, by = context))]
async fn by_what_is_injected(customer: i64, context: Context) {
    let _ = (customer, context);
}

#[job(concurrency(limit = 1, by = tenant))]
async fn by_nothing() {}

#[job(concurrency(limit = 1, by = [customer, customer]))]
async fn twice(customer: i64) {
    let _ = customer;
}

#[job(concurrency(limit = 1, by = []))]
async fn by_none(customer: i64) {
    let _ = customer;
}

#[job(concurrency(limit = 1, by = "customer"))]
async fn by_a_text(customer: i64) {
    let _ = customer;
}

#[job(concurrency(limit = 1))]
async fn without_by(customer: i64) {
    let _ = customer;
}

#[job(rate(by = customer))]
async fn without_limit(customer: i64) {
    let _ = customer;
}

#[job(rate("10/s", by = customer))]
async fn without_a_name(customer: i64) {
    let _ = customer;
}

#[job(rate(limit = "10/s", bye = customer))]
async fn misspelt(customer: i64) {
    let _ = customer;
}

#[job(concurrency(limit = 1, by = customer), rate(limit = "10/s", by = tenant))]
async fn by_two(customer: i64, tenant: i64) {
    let _ = (customer, tenant);
}

fn main() {}
