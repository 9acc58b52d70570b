//! Real outages, played on a cluster inside this process: what happened then, and what the real
//! commands say now.

mod interrupted;
mod rename;
mod stage;
mod teardown;

use crate::error::CommandError;

/// One incident on the stage.
pub(crate) struct Incident {
    /// As the command line names it.
    pub(crate) name: &'static str,
    title: &'static str,
    play: fn() -> stage::Played,
}

/// Every incident, in the order in which they are played.
pub(crate) const INCIDENTS: &[Incident] = &[
    Incident {
        name: "teardown",
        title: "A tenant's teardown takes production along",
        play: || Box::pin(teardown::play()),
    },
    Incident {
        name: "rename",
        title: "A rename replaces the namespace that production lives in",
        play: || Box::pin(rename::play()),
    },
    Incident {
        name: "interrupted",
        title: "An interrupted deployment can never be run again",
        play: || Box::pin(interrupted::play()),
    },
];

/// Plays one incident, or all.
pub(crate) async fn play(only: Option<&str>) -> Result<(), CommandError> {
    let chosen = INCIDENTS
        .iter()
        .filter(|incident| only.is_none_or(|name| name == incident.name));
    for incident in chosen {
        stage::title(incident.title)?;
        (incident.play)().await?;
    }
    stage::say(
        "\nGo on by hand: `underpin sandbox` runs such a cluster for kubectl and every other tool, \
         and `underpin sandbox -- COMMAND` runs one command against it. With a stack of your own, \
         begin with `underpin plan`: it changes nothing.",
    )
}
