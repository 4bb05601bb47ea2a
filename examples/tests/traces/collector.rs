//! What exporters send to: a server of its own for each test, which keeps what it gets.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// The path and the body of a request.
pub(crate) type Received = (String, Bytes);

pub(crate) struct Collector {
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Collector {
    /// Ends with its runtime.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let kept = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                let keep = service_fn(move |request| keep(request, Arc::clone(&kept)));
                let serving =
                    http1::Builder::new().serve_connection(TokioIo::new(connection), keep);
                tokio::spawn(serving);
            }
        });
        Self { address, received }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

async fn keep(
    request: Request<Incoming>,
    kept: Arc<Mutex<Vec<Received>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    kept.lock().unwrap().push((path, body));
    Ok(Response::new(Full::default()))
}
