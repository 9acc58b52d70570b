//! What is recorded.

use underpin_deploy::{ClaimStatus, KeptNamespace, Status};
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
            text.push_str(&environment(one));
        }
        let absent = status.absent.iter().map(|one| absent(one));
        text.push_str(&absent.collect::<String>());
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

fn environment(one: &ClaimStatus) -> String {
    let claim = &one.claim;
    let home = match &claim.placement {
        Some(placement) => format!("in namespace {}", placement.namespace),
        None => "has no namespace yet".to_owned(),
    };
    let mut text = format!(
        "{} {home}: {}, {} ready\n",
        claim.display_name(),
        wording::count(claim.entries.len(), "object"),
        one.ready()
    );
    let mut line = |line: String| text.push_str(&format!("    {line}\n"));
    for one in &one.not_ready {
        let why = match &one.cause {
            Some(cause) => format!("{}: {cause}", one.why),
            None => one.why.clone(),
        };
        line(format!("not ready: {}: {why}", one.key));
    }
    for (what, keys) in [
        ("missing", &one.missing),
        ("replaced by somebody else", &one.replaced),
        ("could not be read", &one.unread),
        ("not recorded as made", &one.intended),
    ] {
        for key in keys {
            line(format!("{what}: {key}"));
        }
    }
    if let Some(lock) = &claim.lock {
        line(format!("locked by {} since {}", lock.who, lock.acquired));
        line(format!(
            "    if that run is dead, `underpin up -e {}` waits {} s for it, and continues",
            claim.environment, lock.lease_seconds
        ));
    }
    if let Some(last) = claim.history.last() {
        line(format!(
            "last: {} at {} by {}: {}",
            last.command, last.at, last.who, last.outcome
        ));
        for one in &last.accepted {
            line(format!(
                "    accepted {}:{}: {}",
                one.code, one.subject, one.reason
            ));
        }
    }
    if let Some(way) = continues(one) {
        line(way);
    }
    text
}

/// What brings the environment to where its files say it should be.
fn continues(one: &ClaimStatus) -> Option<String> {
    let environment = &one.claim.environment;
    if one.claim.lock.is_some() {
        return None;
    }
    if !one.intended.is_empty() {
        return Some(format!(
            "a run was interrupted: `underpin up -e {environment}` continues it"
        ));
    }
    (!one.missing.is_empty()).then(|| {
        format!("`underpin up -e {environment}` makes again what is missing and still declared")
    })
}

fn absent(environment: &str) -> String {
    format!(
        "{environment}: nothing is recorded; `underpin plan -e {environment}` shows what `up` would \
         do\n"
    )
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
