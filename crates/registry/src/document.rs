//! A text at a URL, such as the pins that a cleaner reads where it runs.

use std::{path::Path, time::Duration};

use ::http::{Method, Request, StatusCode, Uri};
use bytes::Bytes;
use http_body_util::Full;

use crate::{
    address::Origin,
    client::ClientError,
    http::{Http, SendError},
};

/// Longest time until all of it is there.
const TIME: Duration = Duration::from_secs(30);
/// Longest text that is read.
const LIMIT: usize = 1024 * 1024;

/// Why there is no text. Holds nothing of the URL but what is asked for; a password in it is refused and
/// not repeated.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is none that can be read.
    #[error(
        "this is no URL that can be read: write http:// or https://, a host and a path, and no user"
    )]
    Url,
    /// There is no TLS to read it with.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// There is no answer.
    #[error("{0}")]
    Send(String),
    /// The answer is another one.
    #[error("it answers with status {0}")]
    Status(u16),
    /// The answer is no text.
    #[error("the answer is no text in UTF-8")]
    Text,
}

impl From<SendError> for DocumentError {
    fn from(error: SendError) -> Self {
        Self::Send(error.to_string())
    }
}

/// Whether a text is a URL and no path of a file.
pub fn is_url(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.starts_with("http://") || lower.starts_with("https://")
}

/// Reads a text by GET, at most a megabyte of it, without credentials and without following redirects.
/// `authorities` is a file of certificates that are trusted besides the machine's.
pub async fn read_document(url: &str, authorities: Option<&Path>) -> Result<String, DocumentError> {
    let uri: Uri = url.parse().map_err(|_| DocumentError::Url)?;
    if Origin::of(&uri).is_none() {
        return Err(DocumentError::Url);
    }
    let request = Request::builder().method(Method::GET).uri(uri);
    let request = request.body(Full::new(Bytes::new()));
    let request = request.map_err(|_| DocumentError::Url)?;
    let answer = Http::new(authorities)?.send(request, LIMIT, TIME).await?;
    if answer.status != StatusCode::OK {
        return Err(DocumentError::Status(answer.status.as_u16()));
    }
    String::from_utf8(answer.body.into()).map_err(|_| DocumentError::Text)
}
