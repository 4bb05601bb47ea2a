//! `pgq`: the commands that need no types of yours. See the library of this package.

#[tokio::main]
async fn main() {
    pgqueuer_cli::pgq().await;
}
