//! A way to the server that can break: it falls silent without closing anything, as a firewall
//! does that has forgotten a connection, or it lets nobody in.

use std::{
    future,
    path::PathBuf,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UnixStream},
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// Passes connections on to a server until it is dropped.
pub(super) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    _accepting: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Shared {
    ways: Mutex<Vec<Arc<Way>>>,
    refuses: AtomicBool,
    has_vanished: AtomicBool,
    asked: AtomicUsize,
}

/// One connection.
#[derive(Default)]
struct Way {
    /// What the client has said, for telling what it is for.
    said: Mutex<Vec<u8>>,
    silent: CancellationToken,
}

impl Proxy {
    /// In front of a server that listens on a Unix socket.
    pub(super) async fn to(server: &PgConnectOptions) -> Self {
        let folder = server.get_socket().expect("a throw-away server").clone();
        let socket = folder.join(format!(".s.PGSQL.{}", server.get_port()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::<Shared>::default();
        let accepting = tokio::spawn(accept(listener, socket, Arc::clone(&shared)));
        Self {
            port,
            shared,
            _accepting: AbortOnDropHandle::new(accepting),
        }
    }

    /// The options of the server, by this way.
    pub(super) fn options(&self, server: &PgConnectOptions) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username(server.get_username())
            .database(server.get_database().unwrap())
            .ssl_mode(PgSslMode::Disable)
    }

    /// Lets nothing more through, either way, on the connections that this was said on (the empty
    /// text: on all). Returns how many there are.
    pub(super) fn silence(&self, said: &str) -> usize {
        let mut silenced = 0;
        for way in &*self.shared.ways.lock().unwrap() {
            let all = way.said.lock().unwrap();
            let is_said = String::from_utf8_lossy(&all).contains(said);
            if is_said && !way.silent.is_cancelled() {
                way.silent.cancel();
                silenced += 1;
            }
        }
        silenced
    }

    /// Lets nothing through any more, on no connection, old or new.
    pub(super) fn vanish(&self) {
        self.shared.has_vanished.store(true, SeqCst);
        self.silence("");
    }

    /// Closes new connections at once, or no longer.
    pub(super) fn refuse(&self, refuses: bool) {
        self.shared.refuses.store(refuses, SeqCst);
    }

    /// How many connections were asked for so far.
    pub(super) fn asked(&self) -> usize {
        self.shared.asked.load(SeqCst)
    }
}

async fn accept(listener: TcpListener, socket: PathBuf, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        shared.asked.fetch_add(1, SeqCst);
        if shared.refuses.load(SeqCst) {
            continue;
        }
        let way = Arc::<Way>::default();
        if shared.has_vanished.load(SeqCst) {
            way.silent.cancel();
        }
        shared.ways.lock().unwrap().push(Arc::clone(&way));
        let socket = socket.clone();
        connections.spawn(async move {
            if let Ok(server) = UnixStream::connect(socket).await {
                pass_on(client, server, &way).await;
            }
        });
    }
}

/// Ends when either end does, unless it has fallen silent: then neither learns of the other.
async fn pass_on(mut client: TcpStream, mut server: UnixStream, way: &Way) {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let asking = pin!(pump(from_client, to_server, |bytes| {
        way.said.lock().unwrap().extend_from_slice(bytes);
    }));
    let answering = pin!(pump(from_server, to_client, |_| {}));
    tokio::select! {
        biased;
        () = way.silent.cancelled() => future::pending().await,
        () = asking => {}
        () = answering => {}
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut hear: impl FnMut(&[u8]),
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        hear(&buffer[..read]);
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
