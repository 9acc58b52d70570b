use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use underpin_cluster::Cluster;
use underpin_edge::{LeaseOptions, ServeOptions};

use super::setting::{EdgeArgs, ReadArgs, service};
use crate::{Exit, error::CommandError, interrupt, output, output::Format, setup::connect_options};

/// Hold Caddy to what the cluster's Services and Ingresses say
///
/// Watches Services, Ingresses, namespaces and endpoints. Entries are tried one by one on a Caddy of
/// its own; then one document is given to the Caddy that serves, and every host is asked for. What does
/// not serve what it says is rolled back. What cannot be read changes nothing, and a loss that nothing
/// explains is held until the objects return or an operator consents to it.
///
/// Ends at SIGTERM or Ctrl-C; Caddy serves on.
#[derive(Debug, Args)]
pub(crate) struct RoutesServeArgs {
    #[command(flatten)]
    edge: EdgeArgs,
    #[command(flatten)]
    read: ReadArgs,
    /// The folder of the last good document, caddy.json, which Caddy is to boot from, and of what is
    /// remembered.
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
    /// Where health, readiness, metrics and ask are answered.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9180")]
    listen: SocketAddr,
    /// A Lease without which nothing is written, where several processes have the same Caddy.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = service)]
    lease: Option<(String, String)>,
    /// How many seconds the Lease lasts without being renewed.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(3..=300))]
    lease_seconds: u64,
    /// For how many milliseconds nothing may change before there is a new document.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=1000))]
    quiet: u64,
    /// Send no Events.
    #[arg(long)]
    no_events: bool,
}

/// The command, as its documents name it.
pub(super) const NAME: &str = "routes-serve";

impl RoutesServeArgs {
    /// How an error that ends the command is told: what it has to say are lines.
    pub(super) fn error_format() -> Format {
        Format::Text
    }
}

pub(super) async fn serve(args: RoutesServeArgs) -> Result<Exit, CommandError> {
    let (read, edge) = (&args.read, &args.edge);
    let kubeconfig = read.kubeconfig.as_deref();
    let connect = connect_options(kubeconfig, read.context.clone(), read.request_timeout);
    let options = ServeOptions {
        edge: edge.options(true)?,
        folder: args.folder,
        sites: edge.sites(),
        claims_namespace: read.claims_namespace.clone(),
        listen: Some(args.listen),
        lease: args.lease.map(|(namespace, name)| LeaseOptions {
            namespace,
            name,
            length: Duration::from_secs(args.lease_seconds),
        }),
        quiet: Duration::from_millis(args.quiet),
        events: !args.no_events,
    };
    let cluster = Cluster::connect(&connect).await?;
    let stop = interrupt::flag_of("stopping; Caddy serves on");
    underpin_edge::serve(cluster, options, output::message, stop).await?;
    Ok(Exit::Done)
}
