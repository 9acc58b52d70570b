//! Registries: what of them is needed, and by whom.

mod golive;
mod marker;
mod plan;
mod registry;
mod roots;
mod setting;
mod sources;
mod state;

use clap::{Args, Subcommand};

use crate::{Exit, error::CommandError, output::Format};

/// Tell which images of a registry are needed, and which may go
#[derive(Debug, Args)]
pub(crate) struct ImagesArgs {
    #[command(subcommand)]
    command: ImagesCommand,
}

#[derive(Debug, Subcommand)]
enum ImagesCommand {
    Plan(Box<plan::ImagesPlanArgs>),
    Golive(Box<golive::ImagesGoliveArgs>),
}

impl ImagesArgs {
    /// How an error that ends the command is told.
    pub(crate) fn error_format(&self) -> Format {
        match &self.command {
            ImagesCommand::Plan(args) => args.output,
            ImagesCommand::Golive(args) => args.output,
        }
    }

    /// The command, as its documents name it.
    pub(crate) fn name(&self) -> &'static str {
        match &self.command {
            ImagesCommand::Plan(_) => plan::NAME,
            ImagesCommand::Golive(_) => golive::NAME,
        }
    }
}

pub(crate) async fn images(args: ImagesArgs) -> Result<Exit, CommandError> {
    match args.command {
        ImagesCommand::Plan(args) => plan::plan(*args).await,
        ImagesCommand::Golive(args) => golive::golive(*args).await,
    }
}
