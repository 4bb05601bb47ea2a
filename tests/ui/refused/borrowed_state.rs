use pgqueuer::{Context, State, job};

#[job]
async fn send_welcome(mailer: &State<String>) {
    let _ = mailer;
}

#[job]
async fn look(context: &mut Context) {
    let _ = context;
}

#[job]
async fn look_for_ever(context: &'static Context) {
    let _ = context;
}

#[job]
async fn search(#[inject] index: &pgqueuer::PgQueuer) {
    let _ = index;
}

#[job]
async fn pay(tx: &mut pgqueuer::Tx) {
    let _ = tx;
}

fn main() {}
