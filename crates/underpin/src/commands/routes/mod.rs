//! The edge: what it serves, judged and published.

mod check;
mod configuration;
mod render;
mod serve;
mod setting;
mod trials;

use clap::{Args, Subcommand};
use underpin_refs::ENTRY_ANNOTATIONS;
use underpin_route::Settings;

use crate::{Exit, cli::given, error::CommandError, output::Format};

/// Judge and publish what the edge serves
#[derive(Debug, Args)]
pub(crate) struct RoutesArgs {
    #[command(subcommand)]
    command: RoutesCommand,
}

#[derive(Debug, Subcommand)]
enum RoutesCommand {
    Check(Box<check::RoutesCheckArgs>),
    Render(Box<render::RoutesRenderArgs>),
    Serve(Box<serve::RoutesServeArgs>),
}

/// What the edge reads of objects.
#[derive(Clone, Debug, Args)]
pub(crate) struct EntryArgs {
    /// The annotation of Services and Ingresses that holds an entry; may be repeated, and replaces
    /// simple-container.com/caddyfile-entry and underpin.dev/route.
    #[arg(long = "annotation", value_name = "NAME", value_parser = given)]
    annotations: Vec<String>,
    /// The class of the Ingresses that the edge serves; none without it.
    #[arg(long, value_name = "NAME", value_parser = given)]
    ingress_class: Option<String>,
    /// Also serve Ingresses that name no class.
    #[arg(long, requires = "ingress_class")]
    ingresses_without_class: bool,
}

impl EntryArgs {
    /// What is read of a world. `endpoints`: whether it tells what is ready behind Services.
    pub(crate) fn settings(&self, endpoints: bool) -> Settings {
        let annotations = if self.annotations.is_empty() {
            ENTRY_ANNOTATIONS.map(str::to_owned).to_vec()
        } else {
            self.annotations.clone()
        };
        Settings {
            annotations,
            ingress_class: self.ingress_class.clone(),
            ingresses_without_class: self.ingresses_without_class,
            endpoints,
        }
    }
}

impl RoutesArgs {
    /// How an error that ends the command is told.
    pub(crate) fn error_format(&self) -> Format {
        match &self.command {
            RoutesCommand::Check(args) => args.error_format(),
            RoutesCommand::Render(args) => args.error_format(),
            RoutesCommand::Serve(_) => serve::RoutesServeArgs::error_format(),
        }
    }

    /// The command, as its documents name it.
    pub(crate) fn name(&self) -> &'static str {
        match &self.command {
            RoutesCommand::Check(_) => check::NAME,
            RoutesCommand::Render(_) => render::NAME,
            RoutesCommand::Serve(_) => serve::NAME,
        }
    }
}

pub(crate) async fn routes(args: RoutesArgs) -> Result<Exit, CommandError> {
    match args.command {
        RoutesCommand::Check(args) => check::check(*args).await,
        RoutesCommand::Render(args) => render::render(*args).await,
        RoutesCommand::Serve(args) => serve::serve(*args).await,
    }
}
