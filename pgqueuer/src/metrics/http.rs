//! The route for an application on axum.

use axum::{Router, http::header, routing::get};

use super::{CONTENT_TYPE, Metrics};
use crate::handle::PgQueuer;

/// A router with `GET /metrics`, to be merged into that of your application.
///
/// Everybody who reaches the application can read it: kinds and queues by name, and how many jobs there
/// are. Where that is too much, put a layer of yours around it.
pub fn router<S>(pgq: &PgQueuer) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let metrics = Metrics::new(pgq);
    let answer = move || async move {
        let text = metrics.render().await;
        ([(header::CONTENT_TYPE, CONTENT_TYPE)], text)
    };
    Router::new().route("/metrics", get(answer))
}
