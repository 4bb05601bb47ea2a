use pgqueuer::{Call, Outcome, job};

struct Audit;

#[job(executor = Audit)]
async fn a_type() {}

async fn other(call: Call) -> Result<Outcome, String> {
    drop(call);
    Err("not like this".to_owned())
}

#[job(executor = other)]
async fn a_function() {}

fn main() {}
