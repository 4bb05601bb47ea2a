use pgqueuer::job;

#[job(concurrency(limit = 1, by = amount))]
async fn by_a_float(amount: f64) {
    let _ = amount;
}

#[job(rate(limit = "10/s", by = [customer, items]))]
async fn by_a_list(customer: i64, items: Vec<i64>) {
    let _ = (customer, items);
}

#[job(unique)]
async fn by_all_of_it(price: f64) {
    let _ = price;
}

fn main() {}
