use clap::{Args, builder::PossibleValuesParser};

use crate::{
    Exit,
    demo::{self, INCIDENTS},
    error::CommandError,
};

/// Play the outages that Underpin grew from, on a cluster inside this process
///
/// Shows what happened then, and what the real commands say now. Needs no cluster, touches none,
/// and leaves nothing behind.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Play only this one.
    #[arg(value_name = "INCIDENT", value_parser = PossibleValuesParser::new(INCIDENTS.iter().map(|incident| incident.name)))]
    incident: Option<String>,
}

pub(crate) async fn demo(args: DemoArgs) -> Result<Exit, CommandError> {
    demo::play(args.incident.as_deref()).await?;
    Ok(Exit::Done)
}
