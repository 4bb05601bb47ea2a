use pgqueuer::{job, schedule};

#[job(unique(by = tenant))]
async fn of_whom(customer: i64) {
    let _ = customer;
}

#[job(unique(by = [customer, customer]))]
async fn twice(customer: i64) {
    let _ = customer;
}

#[job(unique = true)]
async fn truly(customer: i64) {
    let _ = customer;
}

#[job(unique(customer))]
async fn without_a_name(customer: i64) {
    let _ = customer;
}

#[job(unique(for = "0s"))]
async fn for_nothing(customer: i64) {
    let _ = customer;
}

#[job(unique(for = "101y"))]
async fn for_ever(customer: i64) {
    let _ = customer;
}

#[job(unique(four = "1h"))]
async fn misspelt(customer: i64) {
    let _ = customer;
}

#[schedule("0 * * * *", unique)]
async fn hourly() {}

fn main() {}
