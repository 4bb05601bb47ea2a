//! The network between one worker and the server, which can be cut.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::JoinHandle,
};

/// How the network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Open,
    /// Connections are closed, and new ones, too.
    Closed,
    /// Nothing passes, and nobody is told. What was sent arrives when the line is open again.
    Silent,
    /// Requests pass, and their replies are lost.
    Deaf,
}

/// Listens on a port of its own.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    line: watch::Sender<Line>,
    serving: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(socket: PathBuf) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let (line, state) = watch::channel(Line::Open);
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (socket, state) = (socket.clone(), state.clone());
                tokio::spawn(async move {
                    // A connection that breaks is what this is for.
                    let _ = carry(client, &socket, state).await;
                });
            }
        });
        Ok(Self {
            port,
            line,
            serving,
        })
    }

    pub(crate) fn set(&self, line: Line) {
        self.line.send_replace(line);
    }

    /// Connections that have lost something are of no more use.
    pub(crate) async fn heal(&self) {
        let was = *self.line.borrow();
        if was == Line::Deaf {
            self.set(Line::Closed);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.set(Line::Open);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn carry(client: TcpStream, socket: &Path, state: watch::Receiver<Line>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut closed = state.clone();
    let carrying = async {
        passable(&state).await;
        let server = UnixStream::connect(socket).await?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            ended = pump(from_client, to_server, state.clone(), |_| true) => ended,
            ended = pump(from_server, to_client, state.clone(), |line| line != Line::Deaf) => ended,
        }
    };
    tokio::select! {
        ended = carrying => ended,
        // An error means that the proxy is gone.
        _ = closed.wait_for(|line| *line == Line::Closed) => Ok(()),
    }
}

/// Carries bytes until there are no more. An end is not carried by a silent line either.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    state: watch::Receiver<Line>,
    arrives: impl Fn(Line) -> bool,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        let line = passable(&state).await;
        if read == 0 {
            return Ok(());
        }
        if arrives(line) {
            to.write_all(&buffer[..read]).await?;
        }
    }
}

/// Waits while the line is silent.
async fn passable(state: &watch::Receiver<Line>) -> Line {
    let mut state = state.clone();
    let line = state.wait_for(|line| *line != Line::Silent).await;
    line.map_or(Line::Closed, |line| *line)
}
