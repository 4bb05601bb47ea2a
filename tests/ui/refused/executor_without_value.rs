use pgqueuer::job;

#[job(executor)]
async fn nothing() {}

#[job(executor())]
async fn a_list() {}

fn main() {}
