//! Serving metrics, as long as something else is done.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use clap::Args;
use pgqueuer::{PgQueuer, metrics};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{exit::Failure, output::note};

/// How long a scrape that is under way may hold up the end.
const LAST_SCRAPE: Duration = Duration::from_secs(1);

#[derive(Debug, Default, Args)]
pub(crate) struct TokenArgs {
    /// Answer only those who send `Authorization: Bearer TOKEN`. Needed beyond loopback.
    ///
    /// Better in the variable: everybody on the machine can see the command line.
    // Not shown with its value, which is a secret.
    #[arg(
        long,
        env = "PGQUEUER_METRICS_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    metrics_token: Option<String>,
}

/// Listens already, and does not answer yet.
#[derive(Debug)]
pub(crate) struct MetricsServer {
    listener: TcpListener,
    token: Option<String>,
}

impl MetricsServer {
    /// `address`: an IP address and a port.
    pub(crate) async fn bind(address: &str, args: TokenArgs) -> Result<Self, Failure> {
        let address: SocketAddr = address.parse().map_err(|_| {
            let message = format!("`{address}` is not an address and a port");
            Failure::usage(format!("{message}; write 127.0.0.1:9464, or [::1]:9464"))
        })?;
        // One that is empty keeps nobody out.
        let token = args.metrics_token.filter(|it| !it.is_empty());
        if token.is_none() && !address.ip().is_loopback() {
            let port = address.port();
            return Err(Failure::usage(format!(
                "{address} can be reached from other machines, so metrics need a token there; set \
                 PGQUEUER_METRICS_TOKEN, or listen at 127.0.0.1:{port}"
            )));
        }
        let failed = |error| {
            let message = format!("failed to listen at {address} for metrics");
            Failure::refused(message).because(error)
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        Ok(Self { listener, token })
    }

    /// Serves the metrics of a queue, and of the workers in this process, until `work` is done.
    pub(crate) async fn serve_while<T>(
        self,
        pgq: &PgQueuer,
        work: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let address = self.listener.local_addr()?;
        note(format!("metrics are at http://{address}/metrics"));
        let router = guarded(metrics::router(pgq), self.token);
        let done = CancellationToken::new();
        let serving = axum::serve(self.listener, router)
            .with_graceful_shutdown(done.clone().cancelled_owned());
        let serving = async {
            tokio::select! {
                served = serving => served,
                () = last_moment(&done) => Ok(()),
            }
        };
        let working = async {
            let result = work.await;
            done.cancel();
            result
        };
        let (result, served) = tokio::join!(working, serving);
        served?;
        Ok(result)
    }
}

/// With a client that does not read its answer, the server would not end.
async fn last_moment(done: &CancellationToken) {
    done.cancelled().await;
    tokio::time::sleep(LAST_SCRAPE).await;
}

fn guarded(router: Router, token: Option<String>) -> Router {
    let Some(token) = token.map(Arc::new) else {
        return router;
    };
    router.route_layer(middleware::from_fn(move |request: Request, next: Next| {
        let token = Arc::clone(&token);
        async move {
            if has_token(request.headers(), &token) {
                next.run(request).await
            } else {
                unauthorized()
            }
        }
    }))
}

fn unauthorized() -> Response {
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, challenge).into_response()
}

fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let sent = headers.get(header::AUTHORIZATION);
    let sent = sent.and_then(|it| it.as_bytes().strip_prefix(b"Bearer "));
    sent.is_some_and(|it| is_same(it, token.as_bytes()))
}

/// Takes as long for a guess that is nearly right as for one that is not.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differing = one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && differing == 0
}
