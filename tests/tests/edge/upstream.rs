//! What stands behind the edge: a server on this machine that answers for every Service.
//!
//! Nobody resolves the names of Services here. Caddy sends to upstreams through the proxy of its
//! environment, and this is that proxy and the upstream in one: it says for whom it answered.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result};

/// How often each upstream was asked.
type Asked = Arc<Mutex<BTreeMap<String, usize>>>;

/// The server. It lives as long as the process.
pub(crate) struct Upstreams {
    port: u16,
    asked: Asked,
    probed: Arc<Mutex<usize>>,
}

impl Upstreams {
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("listen")?;
        let port = listener.local_addr()?.port();
        let (asked, probed) = (Asked::default(), Arc::default());
        let (counted, seen) = (Arc::clone(&asked), Arc::clone(&probed));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (counted, seen) = (Arc::clone(&counted), Arc::clone(&seen));
                thread::spawn(move || answer(stream, &counted, &seen));
            }
        });
        Ok(Self {
            port,
            asked,
            probed,
        })
    }

    /// For the environment of Caddy.
    pub(crate) fn proxy(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How often an upstream was asked.
    pub(crate) fn asked(&self, host: &str) -> usize {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.get(host).copied().unwrap_or_default()
    }

    /// How many requests came with the header of a probe: none may.
    pub(crate) fn probed(&self) -> usize {
        *self.probed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(stream: TcpStream, asked: &Asked, probed: &Arc<Mutex<usize>>) {
    let mut stream = BufReader::new(stream);
    while let Some(head) = head(&mut stream) {
        // `GET http://web.shop.svc.cluster.local:80/ HTTP/1.1`
        let target = head[0].split(' ').nth(1).unwrap_or_default();
        let host = target.trim_start_matches("http://");
        let host = host.split([':', '/']).next().unwrap_or_default().to_owned();
        if head.iter().any(|line| line.starts_with("x-underpin-probe")) {
            *probed.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        }
        let body = format!("answered for {host}");
        *asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(host)
            .or_default() += 1;
        let text = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.get_mut().write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

fn head(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match (line.trim_end(), lines.is_empty()) {
            ("", false) => return Some(lines),
            ("", true) => {}
            (first, true) => lines.push(first.to_owned()),
            (next, false) => lines.push(next.to_ascii_lowercase()),
        }
    }
}
