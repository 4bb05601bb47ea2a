//! Serving metrics, as long as something else is done.

mod connections;

use std::{fmt, future::Future, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use clap::Args;
use pgqueuer::{PgQueuer, metrics};
use tokio::{net::TcpListener, sync::oneshot};

use connections::LIMITS;

use crate::{exit::Failure, output::note};

#[derive(Default, Args)]
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

impl TokenArgs {
    /// Without what surrounds it in a file, say: a header cannot carry that.
    fn token(&self) -> Result<Option<String>, Failure> {
        let token = self.metrics_token.as_deref().map(str::trim);
        // One that is empty keeps nobody out.
        let token = token.filter(|it| !it.is_empty());
        if token.is_some_and(|it| HeaderValue::from_str(it).is_err()) {
            return Err(Failure::usage(
                "the token for metrics is none that a header can carry; use letters and digits",
            ));
        }
        Ok(token.map(str::to_owned))
    }
}

impl fmt::Debug for TokenArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenArgs").finish_non_exhaustive()
    }
}

/// Listens already, and does not answer yet.
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
        let token = args.token()?;
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
        let (end, ended) = oneshot::channel::<()>();
        let ended = async {
            let _ = ended.await;
        };
        let working = async {
            let result = work.await;
            drop(end);
            result
        };
        let serving = connections::serve(self.listener, router, LIMITS, ended);
        let (result, ()) = tokio::join!(working, serving);
        Ok(result)
    }
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

/// The scheme may be written in any case (RFC 9110, section 11.1).
const BEARER: &[u8] = b"Bearer ";

fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let sent = headers.get(header::AUTHORIZATION);
    let Some((scheme, sent)) = sent.and_then(|it| it.as_bytes().split_at_checked(BEARER.len()))
    else {
        return false;
    };
    scheme.eq_ignore_ascii_case(BEARER) && is_same(sent, token.as_bytes())
}

/// Takes as long for a guess that is nearly right as for one that is not.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differing = one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && differing == 0
}
