//! Proxy: a way to a server that can be cut, or fall silent.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    Silent,
    Closed,
}

/// A way to a server that can be cut.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    way: watch::Sender<Way>,
}

impl Proxy {
    pub(crate) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (way, state) = watch::channel(Way::Open);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, state.clone()));
            }
        });
        Self { address, way }
    }

    /// Bytes are swallowed, connections stay.
    pub(crate) fn silence(&self) {
        self.way.send_replace(Way::Silent);
    }

    /// Connections end, and new ones too, until it is opened.
    pub(crate) fn close(&self) {
        self.way.send_replace(Way::Closed);
    }

    pub(crate) fn open(&self) {
        self.way.send_replace(Way::Open);
    }
}

async fn carry(client: TcpStream, server: SocketAddr, mut state: watch::Receiver<Way>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = server.into_split();
    let (up, down) = (state.clone(), state.clone());
    tokio::select! {
        // A silent connection stays so: what it swallowed is lost, so it may not speak again.
        _ = state.wait_for(|way| *way == Way::Closed) => {}
        () = pump(client_in, server_out, up) => {}
        () = pump(server_in, client_out, down) => {}
    }
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    state: watch::Receiver<Way>,
) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut bytes = vec![0; 64 * 1024];
    let mut lost = false;
    loop {
        let Ok(count @ 1..) = from.read(&mut bytes).await else { return };
        lost |= *state.borrow() == Way::Silent;
        if !lost && to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
