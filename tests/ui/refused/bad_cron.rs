use pgqueuer::schedule;

#[schedule("* * * *")]
async fn four_fields() {}

#[schedule("0 0 0 1 1 * 2030")]
async fn seven_fields() {}

#[schedule("61 * * * *")]
async fn out_of_range() {}

#[schedule("every hour on the dot")]
async fn words() {}

#[schedule("0 0 31 2 *")]
async fn never() {}

#[schedule("@fortnightly")]
async fn nickname() {}

#[schedule(5)]
async fn number() {}

#[schedule("0 8 * * *", "0 20 * * *")]
async fn two() {}

fn main() {}
