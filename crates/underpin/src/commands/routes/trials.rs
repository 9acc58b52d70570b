//! What Caddy makes of the entries: each is tried on one of our own, as before it is served.

use std::io::ErrorKind;

use underpin_edge::{EdgeError, IsolatedError, Trials};
use underpin_model::{Finding, World};
use underpin_plan::rules::up204;
use underpin_route::{Limits, Published, Settings, blocks, resolve, served};

use super::configuration::CaddyArgs;
use crate::error::CommandError;

/// What came of it.
#[derive(Default)]
pub(super) struct Tried {
    pub(super) findings: Vec<Finding>,
    /// Why they were not tried, where that is no error.
    pub(super) note: Option<String>,
}

/// Tries every entry that would be served. Where no Caddy was asked for and there is none, that is
/// told.
pub(super) async fn try_entries(
    worlds: &[World],
    settings: &Settings,
    caddy: &CaddyArgs,
) -> Result<Tried, CommandError> {
    let limits = Limits {
        pages: caddy.pages.clone(),
        ..Limits::default()
    };
    let mut trials = Trials::new(caddy.program().into(), limits);
    let mut tried = Tried::default();
    for world in worlds {
        let mut table = resolve(world, settings, &Published::default());
        let entries = blocks(&table);
        if entries.is_empty() {
            continue;
        }
        let outcomes = match trials.outcomes(&entries).await {
            Err(IsolatedError::Start { program, source }) if caddy.is_implied() => {
                let program = program.display();
                let why = match source.kind() {
                    ErrorKind::NotFound => format!("there is no program {program}"),
                    _ => format!("{program} cannot be started ({source})"),
                };
                tried.note = Some(format!(
                    "what Caddy makes of the entries is not known, for {why}; --caddy or \
                     UNDERPIN_CADDY name one"
                ));
                return Ok(tried);
            }
            outcomes => outcomes.map_err(EdgeError::from)?,
        };
        let known = table.refused.len();
        served(&mut table, &entries, outcomes);
        let refused = table.refused.get(known..).unwrap_or_default();
        tried.findings.extend(up204::of_trials(world, refused));
    }
    trials.rest();
    Ok(tried)
}
