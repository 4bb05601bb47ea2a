use pgqueuer::job;

#[job(aliases = ["old", "older", "old"])]
async fn twice() {}

#[job(aliases = ["same"])]
async fn same() {}

#[job(name = "renamed", aliases = ["renamed"])]
async fn named() {}

fn main() {}
