//! What stands behind the edge: servers on this machine, one for the Service of each namespace, that say
//! for whom they answer. A path `/status/404` is answered so.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context as _, Result};
use underpin_route::PROBE_HEADER;

/// The namespaces that there are.
const NAMESPACES: [&str; 7] = ["new-ns", "old-ns", "one", "other", "shop", "three", "two"];

/// The servers. They live as long as the process.
pub(crate) struct Upstreams {
    ports: BTreeMap<&'static str, u16>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    asked: AtomicUsize,
    probed: AtomicUsize,
}

impl Upstreams {
    pub(crate) fn start() -> Result<Self> {
        let counts = Arc::<Counts>::default();
        let mut ports = BTreeMap::new();
        for namespace in NAMESPACES {
            let listener = TcpListener::bind(("127.0.0.1", 0)).context("listen")?;
            ports.insert(namespace, listener.local_addr()?.port());
            let counts = Arc::clone(&counts);
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let counts = Arc::clone(&counts);
                    thread::spawn(move || answer(stream, namespace, &counts));
                }
            });
        }
        Ok(Self { ports, counts })
    }

    /// The port of the Service of a namespace.
    pub(crate) fn port(&self, namespace: &str) -> Result<u16> {
        let port = self.ports.get(namespace).copied();
        port.with_context(|| format!("no upstream for namespace {namespace}"))
    }

    /// A file that resolves the names of the Services, as a cluster's DNS does.
    pub(crate) fn hosts() -> String {
        let names = NAMESPACES.map(|namespace| format!("127.0.0.1 {}\n", name(namespace)));
        format!("127.0.0.1 localhost\n{}", names.concat())
    }

    /// How many requests came.
    pub(crate) fn asked(&self) -> usize {
        self.counts.asked.load(Ordering::Relaxed)
    }

    /// How many of them came with the header of a probe: none may.
    pub(crate) fn probed(&self) -> usize {
        self.counts.probed.load(Ordering::Relaxed)
    }
}

/// The name of the Service of a namespace.
pub(crate) fn name(namespace: &str) -> String {
    format!("web.{namespace}.svc.cluster.local")
}

fn answer(stream: TcpStream, namespace: &str, counts: &Counts) {
    let mut stream = BufReader::new(stream);
    let body = format!("answered for {namespace}");
    let length = body.len();
    let probe = PROBE_HEADER.to_ascii_lowercase();
    while let Some(head) = head(&mut stream) {
        counts.asked.fetch_add(1, Ordering::Relaxed);
        if head.contains(&probe) {
            counts.probed.fetch_add(1, Ordering::Relaxed);
        }
        let mut words = head.split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let status = words.next().and_then(|path| path.strip_prefix("/status/"));
        let status = status.unwrap_or("200 ok");
        let mut text = format!(
            "HTTP/1.1 {status} \r\nContent-Length: {length}\r\n\
             Strict-Transport-Security: max-age=1\r\n\r\n"
        );
        if method != "head" {
            text.push_str(&body);
        }
        if stream.get_mut().write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

/// The next request's line and headers, in lower case.
fn head(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim_end().is_empty() {
            return Some(head);
        }
        head.push_str(&line.to_ascii_lowercase());
    }
}
