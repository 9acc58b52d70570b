//! An HTTP client that shows what is on the wire: no redirect is followed, no header is added.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

/// Longest time for an answer.
const LIMIT: Duration = Duration::from_secs(20);

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Fails unless it is the loud answer to a host that nobody serves (R3.4); `what` was asked.
    pub(crate) fn is_the_page(&self, method: &str, what: &str) -> Result<()> {
        ensure!(self.status == 503, "{what}");
        for (name, value) in [
            ("retry-after", "60"),
            ("cache-control", "no-store"),
            ("content-type", "text/html; charset=utf-8"),
        ] {
            ensure!(self.header(name) == Some(value), "{name}: {what}");
        }
        for name in [
            "location",
            "strict-transport-security",
            "etag",
            "last-modified",
        ] {
            ensure!(self.header(name).is_none(), "{name}: {what}");
        }
        let says = self.body.contains("No backend route is configured");
        ensure!(says || method == "HEAD", "{what}");
        Ok(())
    }
}

/// A connection that is used again and again, as those of a CDN are.
pub(crate) struct Client {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Client {
    pub(crate) fn new(port: u16) -> Self {
        Self::at(([127, 0, 0, 1], port).into())
    }

    pub(crate) fn at(address: SocketAddr) -> Self {
        Self {
            address,
            stream: None,
        }
    }

    /// Sends a request, and once more over a new connection if the old one was closed before.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer> {
        let is_used = self.stream.is_some();
        match self.once(method, host, path, headers, "") {
            Err(_) if is_used => {
                self.stream = None;
                self.once(method, host, path, headers, "")
            }
            other => other,
        }
    }

    /// A merge patch of an object of the API server that is here.
    pub(crate) fn patch(&mut self, path: &str, patch: &str) -> Result<()> {
        let content = [("Content-Type", "application/merge-patch+json")];
        let answer = self.once("PATCH", "localhost", path, &content, patch)?;
        ensure!(answer.status == 200, "{path}: {answer:?}");
        Ok(())
    }

    /// The body of `GET /` of a host, if it is answered 200.
    pub(crate) fn get(&mut self, host: &str) -> Result<(u16, String)> {
        let answer = self.ask("GET", host, "/", &[])?;
        Ok((answer.status, answer.body))
    }

    fn once(
        &mut self,
        method: &str,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
        content: &str,
    ) -> Result<Answer> {
        let mut stream = if let Some(stream) = self.stream.take() {
            stream
        } else {
            let stream = TcpStream::connect(self.address).context("connect")?;
            stream.set_read_timeout(Some(LIMIT))?;
            stream.set_nodelay(true)?;
            BufReader::new(stream)
        };
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if method == "POST" || !content.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", content.len()));
        }
        text.push_str("\r\n");
        text.push_str(content);
        stream.get_mut().write_all(text.as_bytes())?;
        let answer = read(&mut stream, method == "HEAD")?;
        if answer.header("connection") != Some("close") {
            self.stream = Some(stream);
        }
        Ok(answer)
    }
}

fn read(stream: &mut BufReader<TcpStream>, no_body: bool) -> Result<Answer> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).context("a status line")?;
    let status = status.parse().context("a status")?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            bail!("the answer ends within its headers");
        }
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut answer = Answer {
        status,
        headers,
        body: String::new(),
    };
    if no_body || status == 204 || status == 304 {
        return Ok(answer);
    }
    if answer.header("transfer-encoding") == Some("chunked") {
        answer.body = chunks(stream)?;
        return Ok(answer);
    }
    let length = answer.header("content-length").context("a length")?;
    let mut body = vec![0; length.parse()?];
    stream.read_exact(&mut body)?;
    answer.body = String::from_utf8(body)?;
    Ok(answer)
}

fn chunks(stream: &mut BufReader<TcpStream>) -> Result<String> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim(), 16).context("a chunk's length")?;
        let mut chunk = vec![0; length + 2];
        stream.read_exact(&mut chunk)?;
        if length == 0 {
            return Ok(String::from_utf8(body)?);
        }
        body.extend_from_slice(&chunk[..length]);
    }
}
