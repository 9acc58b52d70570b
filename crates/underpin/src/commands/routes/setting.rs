//! How an edge is set up: what `render` and `serve` have in common.

use std::{fs, net::SocketAddr, path::PathBuf};

use camino::Utf8PathBuf;
use clap::Args;
use serde_json::Value;
use underpin_edge::{Address, EdgeOptions, Sites};
use underpin_model::names;

use super::EntryArgs;
use crate::{cli::given, error::CommandError};

/// The edge: where its Caddy is, and what that is to do.
#[derive(Clone, Debug, Args)]
pub(crate) struct EdgeArgs {
    /// The program Caddy, on which entries are tried before they are served.
    #[arg(
        long,
        value_name = "FILE",
        env = "UNDERPIN_CADDY",
        default_value = "caddy"
    )]
    caddy: PathBuf,
    /// Where the Caddy that serves takes its configuration: a loopback address, or unix//PATH.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:2019")]
    admin: Address,
    /// The port of sites over HTTP.
    #[arg(long, value_name = "PORT", default_value_t = 80, value_parser = clap::value_parser!(u16).range(1..))]
    http_port: u16,
    /// The port of sites over TLS; without it TLS ends before the edge, and https:// sites are not
    /// served.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    https_port: Option<u16>,
    /// A file with the app `tls` of Caddy in JSON: where certificates come from.
    #[arg(long, value_name = "FILE", requires = "https_port")]
    tls: Option<Utf8PathBuf>,
    /// Take the certificates of Ingresses' hosts from the Secrets that they name. Takes the right to get
    /// these Secrets.
    #[arg(long, requires = "https_port")]
    tls_secrets: bool,
    /// Answer hosts that are unknown to TLS with the page, too, with a certificate of the edge's own that
    /// no client trusts; without it their handshake fails.
    #[arg(long, requires = "https_port")]
    answer_unknown: bool,
    /// The folder of the pages for errors, as Caddy sees it.
    #[arg(long, value_name = "DIR", default_value = "/etc/caddy/pages")]
    pages: String,
    /// The page for hosts that nothing is configured for, in place of 503.html in the folder of
    /// pages; without either there is a built-in one.
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    /// The Service of the edge itself: entries cannot send there, and consent to a loss is read from
    /// its annotation underpin.dev/accept-loss.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = service)]
    service: Option<(String, String)>,
    /// How many seconds a route whose object is gone waits for its replacement.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(0..=3600))]
    tombstone: u64,
    #[command(flatten)]
    entries: EntryArgs,
}

/// The cluster that is read.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReadArgs {
    /// The kubeconfig context [default: the current one, or the service account in a pod].
    #[arg(long, value_name = "NAME", value_parser = given)]
    pub(crate) context: Option<String>,
    /// The kubeconfig file, instead of KUBECONFIG and the home directory's.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<Utf8PathBuf>,
    /// The namespace of the claims, which say whose objects are.
    #[arg(long, value_name = "NAME", default_value = names::CLAIMS_NAMESPACE, value_parser = given)]
    pub(crate) claims_namespace: String,
    /// Time limit of each request to the API server, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub(crate) request_timeout: u64,
}

impl EdgeArgs {
    /// As the edge takes it. `endpoints`: whether what is read tells what is ready behind Services.
    pub(crate) fn options(&self, endpoints: bool) -> Result<EdgeOptions, CommandError> {
        Ok(EdgeOptions {
            caddy: self.caddy.clone(),
            read: self.entries.settings(endpoints),
            service: self.service.clone(),
            admin: self.admin.clone(),
            http_port: self.http_port,
            https_port: self.https_port,
            tls: self.tls.as_ref().map(tls).transpose()?,
            tls_secrets: self.tls_secrets,
            answer_unknown: self.answer_unknown,
            pages: self.pages.clone(),
            page: self.page.clone(),
            tombstone: self.tombstone,
        })
    }

    /// Where sites are asked for, on this machine.
    pub(crate) fn sites(&self) -> Sites {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Sites {
            http: at(self.http_port),
            https: self.https_port.map(at),
        }
    }
}

/// The file may hold keys: where it is wrong is told, and not what stands there.
fn tls(path: &Utf8PathBuf) -> Result<Value, CommandError> {
    let text = fs::read_to_string(path).map_err(|source| CommandError::Io {
        what: format!("cannot read {path}"),
        source,
    })?;
    let value: Result<Value, _> = serde_json::from_str(&text);
    match value {
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => Err(CommandError::usage(
            format!("{path}:1:1: this is no JSON object"),
            "write what Caddy's configuration has at apps.tls",
        )),
        Err(error) => Err(CommandError::usage(
            format!(
                "{path}:{}:{}: this is no JSON",
                error.line(),
                error.column()
            ),
            "write what Caddy's configuration has at apps.tls",
        )),
    }
}

pub(super) fn service(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((namespace, name))
            if !namespace.is_empty() && !name.is_empty() && !name.contains('/') =>
        {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        _ => Err("write NAMESPACE/NAME".to_owned()),
    }
}
