//! What is recorded.

use underpin_deploy::{KeptNamespace, Status};
use underpin_model::wording;

/// Occupants shown of one kept namespace.
const OCCUPANTS_SHOWN: usize = 20;

/// Environments with what is missing, and kept namespaces with who is in them.
pub(crate) fn status(status: &Status, kept_only: bool) -> String {
    let mut text = String::new();
    if !kept_only {
        for one in status
            .claims
            .iter()
            .filter(|one| one.claim.retired.is_none())
        {
            let claim = &one.claim;
            let home = match &claim.placement {
                Some(placement) => format!("in namespace {}", placement.namespace),
                None => "has no namespace yet".to_owned(),
            };
            text.push_str(&format!(
                "{} {home}: {}\n",
                claim.display_name(),
                wording::count(claim.entries.len(), "object")
            ));
            for (what, keys) in [
                ("missing", &one.missing),
                ("replaced by somebody else", &one.replaced),
                ("could not be read", &one.unread),
            ] {
                for key in keys {
                    text.push_str(&format!("    {what}: {key}\n"));
                }
            }
            if let Some(lock) = &claim.lock {
                text.push_str(&format!(
                    "    locked by {} since {}\n",
                    lock.who, lock.acquired
                ));
            }
            if let Some(last) = claim.history.last() {
                let (at, command) = (&last.at, &last.command);
                text.push_str(&format!(
                    "    last: {command} at {at} by {}: {}\n",
                    last.who, last.outcome
                ));
                for one in &last.accepted {
                    text.push_str(&format!(
                        "        accepted {}:{}: {}\n",
                        one.code, one.subject, one.reason
                    ));
                }
            }
        }
    }
    text.push_str(&status.kept.iter().map(kept).collect::<String>());
    if text.is_empty() {
        let what = if kept_only {
            "nothing was kept"
        } else {
            "nothing is recorded"
        };
        text = format!("{what} in context {}\n", status.context);
    }
    text
}

fn kept(kept: &KeptNamespace) -> String {
    let mut text = format!(
        "kept: namespace {}, former home of {}, since {}\n",
        kept.namespace, kept.environment, kept.since
    );
    if kept.occupancy.is_proven_empty() {
        text.push_str("    empty; `underpin down --kept` deletes it\n");
        return text;
    }
    for environment in &kept.occupancy.placed {
        text.push_str(&format!("    home of {environment}\n"));
    }
    for environment in &kept.occupancy.expecting {
        text.push_str(&format!("    place of objects to come of {environment}\n"));
    }
    for occupant in kept.occupancy.occupants.iter().take(OCCUPANTS_SHOWN) {
        let since = occupant.created.as_deref().unwrap_or("unknown");
        text.push_str(&format!(
            "    {} ({}, since {since})\n",
            occupant.key, occupant.owner
        ));
    }
    if kept.occupancy.occupants.len() > OCCUPANTS_SHOWN {
        let more = kept.occupancy.occupants.len() - OCCUPANTS_SHOWN;
        text.push_str(&format!("    … {more} more (--output json shows all)\n"));
    }
    for unread in &kept.occupancy.unread {
        text.push_str(&format!("    could not be counted: {unread}\n"));
    }
    text
}
