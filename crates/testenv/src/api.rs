//! Raw requests to an API server, for the environment itself. Tests speak through kubectl, and
//! the program under test through its own client.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::{Request, Response};
pub use kube::Client;
use kube::client::Body;
use kube::config::{Config, KubeConfigOptions, Kubeconfig as KubeFile};
use serde_json::Value;
use tokio::time::timeout;

use crate::Kubeconfig;

/// Longest wait for an answer. A request of the environment that hangs is a failed one.
const LIMIT: Duration = Duration::from_secs(10);

/// An answer: HTTP status and body.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status code.
    pub status: u16,
    /// The body as JSON; `null` when it is none.
    pub body: Value,
}

/// A client that speaks as `kubeconfig` says, without retries and without read timeout (a watch
/// may be silent for long). Needs a Tokio runtime.
pub async fn client(kubeconfig: &Kubeconfig) -> Result<Client> {
    let file: KubeFile =
        serde_json::from_value(kubeconfig.to_json()).context("read back the kubeconfig")?;
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .context("client configuration")?;
    config.default_retry = false;
    config.read_timeout = None;
    config.write_timeout = None;
    Client::try_from(config).context("client")
}

/// Sends a request without a body that asks for something of a media type, and reads the answer whole; any
/// status but 200 is an error.
pub async fn read(client: &Client, method: &str, path: &str, accept: &str) -> Result<Vec<u8>> {
    let what = || format!("{method} {path}");
    let builder = Request::builder().method(method).uri(path);
    let builder = builder.header(http::header::ACCEPT, accept);
    let request = builder.body(Body::empty()).with_context(what)?;
    let exchange = async {
        let response: Response<Body> = client.send(request).await.with_context(what)?;
        let status = response.status().as_u16();
        ensure!(status == 200, "{method} {path}: {status}");
        let bytes = response.into_body().collect_bytes().await;
        Ok(bytes.with_context(what)?.to_vec())
    };
    timeout(LIMIT, exchange).await.with_context(what)?
}

/// Sends a POST without a body, and returns the path that the answer leads to.
pub async fn location(client: &Client, path: &str) -> Result<String> {
    let what = || format!("POST {path}");
    let request = Request::post(path).body(Body::empty()).with_context(what)?;
    let sent = timeout(LIMIT, client.send(request))
        .await
        .with_context(what)?;
    let response: Response<Body> = sent.with_context(what)?;
    let location = response.headers().get(http::header::LOCATION);
    let location = location.and_then(|value| value.to_str().ok());
    let location = location.with_context(|| format!("POST {path} leads nowhere"))?;
    let location: http::Uri = location.parse().with_context(what)?;
    let path = location.path_and_query().map(ToString::to_string);
    path.with_context(|| format!("POST {} leads nowhere", location.path()))
}

/// Sends one request; `content` is the body with its media type. Any status is an answer; an
/// error means that there was none.
pub async fn send(
    client: &Client,
    method: &str,
    path: &str,
    content: Option<(&str, &Value)>,
) -> Result<Answer> {
    let what = || format!("{method} {path}");
    let mut builder = Request::builder().method(method).uri(path);
    let body = match content {
        Some((media, value)) => {
            builder = builder.header(http::header::CONTENT_TYPE, media);
            Body::from(serde_json::to_vec(value).with_context(what)?)
        }
        None => Body::empty(),
    };
    let request = builder.body(body).with_context(what)?;
    let exchange = async {
        let response: Response<Body> = client.send(request).await.with_context(what)?;
        let status = response.status().as_u16();
        let bytes = response
            .into_body()
            .collect_bytes()
            .await
            .with_context(what)?;
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Answer { status, body })
    };
    timeout(LIMIT, exchange).await.with_context(what)?
}

/// Like [`send`], and any status but 2xx is an error.
pub async fn demand(
    client: &Client,
    method: &str,
    path: &str,
    content: Option<(&str, &Value)>,
) -> Result<Value> {
    let answer = send(client, method, path, content).await?;
    ensure!(
        (200..300).contains(&answer.status),
        "{method} {path}: {} {}",
        answer.status,
        answer.body["message"]
    );
    Ok(answer.body)
}
