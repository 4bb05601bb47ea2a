use pgqueuer::{Context, State, schedule};

#[schedule("0 * * * *")]
async fn cleanup(pool: State<String>, days: u32, context: &Context) {
    let _ = (pool, days, context);
}

fn main() {}
