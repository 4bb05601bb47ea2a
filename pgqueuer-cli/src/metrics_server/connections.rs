//! The connections of those who scrape: some at a time, and none that says nothing for long.
//!
//! `axum::serve` takes as many as there are, for ever; and each is a descriptor that the worker may need for its
//! way to the database.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};

/// What those who connect may have.
pub(super) struct Limits {
    /// How many there are at a time; others wait until one of these is done.
    connections: usize,
    /// How long it may take to ask, also for the next time.
    asking: Duration,
}

/// Far more, and longer, than those who scrape need.
pub(super) const LIMITS: Limits = Limits {
    connections: 64,
    asking: Duration::from_secs(30),
};

/// How long a scrape that is under way may hold up the end.
const LAST_SCRAPE: Duration = Duration::from_secs(1);

/// Serves until `done`. It ends those that are under way, then, and when it is dropped.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    done: impl Future<Output = ()>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.asking);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    let serving = async {
        // Nobody closes it.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            let service = TowerToHyperService::new(router.clone());
            let stream = TokioIo::new(accept(&listener).await);
            let connection = graceful.watch(http.serve_connection(stream, service));
            connections.spawn(async move {
                // It fails when the other end goes away.
                let _ = connection.await;
                drop(place);
            });
            while connections.try_join_next().is_some() {}
        }
    };
    tokio::select! {
        () = serving => {}
        () = done => {}
    }
    drop(listener);
    let _ = timeout(LAST_SCRAPE, graceful.shutdown()).await;
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // Nobody is there any more; or there are no descriptors, and soon there may be.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future, io::ErrorKind, net::SocketAddr};

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn serving(limits: Limits) -> (SocketAddr, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "here"));
        let mut server = JoinSet::new();
        server.spawn(serve(listener, router, limits, future::pending()));
        (address, server)
    }

    async fn ask(stream: &mut TcpStream) -> String {
        let request = "GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn of_many_connections_some_wait() {
        let limits = Limits {
            connections: 2,
            asking: Duration::from_secs(60),
        };
        let (address, _server) = serving(limits).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        let _second = TcpStream::connect(address).await.unwrap();
        let mut third = TcpStream::connect(address).await.unwrap();
        let early = timeout(Duration::from_millis(300), ask(&mut third)).await;
        assert!(early.is_err(), "{early:?}");

        assert!(ask(&mut first).await.ends_with("here"));

        let mut answer = String::new();
        third.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("here"), "{answer}");
    }

    #[tokio::test]
    async fn who_says_nothing_is_cut_off() {
        let limits = Limits {
            connections: 1,
            asking: Duration::from_millis(200),
        };
        let (address, _server) = serving(limits).await;
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut answer = String::new();
        let end = silent.read_to_string(&mut answer);
        let end = timeout(Duration::from_secs(30), end).await.unwrap();
        let is_cut = |error: std::io::Error| error.kind() == ErrorKind::ConnectionReset;
        assert!(
            end.map_or_else(is_cut, |_| !answer.contains("200")),
            "{answer}"
        );

        let mut next = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut next).await.ends_with("here"));
    }
}
