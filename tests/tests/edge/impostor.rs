//! Something that answers in the place of Caddy for some hosts: it listens at Caddy's own port, at an
//! address that comes before Caddy's.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Runtime;

/// What it says.
const WELCOME: &str = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nwelcome";
/// Where Caddy itself is reached meanwhile.
pub(crate) const BEHIND: [u8; 4] = [127, 0, 0, 2];

/// Longest wait for the port, and pause between two tries.
const FREE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);

/// It ends when dropped.
pub(crate) struct Impostor {
    hosts: Arc<Mutex<BTreeSet<String>>>,
    _runtime: Runtime,
}

impl Impostor {
    /// In front of the Caddy at this port; answers for nobody yet.
    pub(crate) fn start(port: u16) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let hosts = Arc::<Mutex<BTreeSet<String>>>::default();
        let listener = runtime.block_on(async {
            let end = Instant::now() + FREE;
            loop {
                match listen(port) {
                    // Somebody's connection may have been given the port as its own.
                    Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < end => {
                        tokio::time::sleep(POLL).await;
                    }
                    listener => return listener,
                }
            }
        });
        let listener = listener.context("listen at Caddy's port")?;
        let known = Arc::clone(&hosts);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, port, Arc::clone(&known)));
            }
        });
        Ok(Self {
            hosts,
            _runtime: runtime,
        })
    }

    /// Answers for these hosts from now on; `*` is every host.
    pub(crate) fn answers_for(&self, hosts: &[&str]) {
        let mut known = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        *known = hosts.iter().map(ToString::to_string).collect();
    }
}

/// Listens at a port where Caddy does, as Caddy itself.
fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], port)))?;
    socket.listen(64)
}

/// One request; a connection has no more.
async fn serve(
    mut stream: TcpStream,
    port: u16,
    hosts: Arc<Mutex<BTreeSet<String>>>,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head).to_lowercase();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.unwrap_or_default().trim().to_owned();
    let is_known = {
        let hosts = hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.contains(&host) || hosts.contains("*")
    };
    if is_known {
        return stream.write_all(WELCOME.as_bytes()).await;
    }
    let mut caddy = TcpStream::connect(SocketAddr::from((BEHIND, port))).await?;
    head.truncate(head.len() - 2);
    head.extend(b"Connection: close\r\n\r\n");
    caddy.write_all(&head).await?;
    copy_bidirectional(&mut stream, &mut caddy).await?;
    Ok(())
}
