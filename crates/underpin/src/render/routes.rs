//! What `routes render` has written, and what of the edge is not as somebody wants it.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use underpin_edge::{Decided, Ready};
use underpin_model::{
    ObjectKey,
    wording::{count, list},
};
use underpin_route::{Remembered, RouteKey};

use super::{documents, style};
use crate::Exit;

/// What came of a document for Caddy.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rendered {
    /// The file that was written; null when none was.
    written: Option<String>,
    /// Counts publications; null when nothing was written.
    generation: Option<u64>,
    /// The routes that are served, sorted.
    routes: Vec<ServedDocument>,
    /// Routes that are served on although nobody asks for them now.
    kept: Vec<KeptDocument>,
    /// Who does not get what they ask for.
    conflicts: Vec<ConflictDocument>,
    /// Entries, or parts of them, that are not served for what they say.
    refused: Vec<RefusedDocument>,
    /// Sites over TLS, for which the edge has no port.
    unserved: Vec<String>,
    /// Secrets whose certificates cannot be used.
    certificates: Vec<CertificateDocument>,
    /// Why nothing, or not everything, is as the cluster says.
    holds: Vec<String>,
    /// The name of the loss that `--accept-loss` consents to.
    loss: Option<String>,
    /// Whether the document that was there before stays.
    pub(crate) keeps_last: bool,
}

/// A route.
#[derive(Debug, Serialize, JsonSchema)]
struct ServedDocument {
    /// What for.
    route: String,
    /// The object that it is from.
    object: String,
    /// The Services behind it, with how they stand.
    backends: Vec<String>,
}

/// A route that is served on.
#[derive(Debug, Serialize, JsonSchema)]
struct KeptDocument {
    /// What for.
    route: String,
    /// Why.
    reason: String,
}

/// An object that does not get what it asks for.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ConflictDocument {
    /// What for.
    route: String,
    /// The object.
    object: String,
    /// Who serves it; null when nobody does.
    served_by: Option<String>,
    /// Why.
    reason: String,
}

/// An entry that is not served.
#[derive(Debug, Serialize, JsonSchema)]
struct RefusedDocument {
    /// The object.
    object: String,
    /// The field.
    field: String,
    /// Why.
    reason: String,
}

/// A Secret whose certificate cannot be used.
#[derive(Debug, Serialize, JsonSchema)]
struct CertificateDocument {
    /// The Secret.
    secret: String,
    /// Why not.
    reason: String,
    /// The routes that it is for, sorted.
    routes: Vec<String>,
}

impl Rendered {
    pub(crate) fn of(decided: &Decided) -> Self {
        let (table, decision) = (&decided.table, &decided.round.decision);
        let kept = decision.kept.iter().map(|(key, kept)| KeptDocument {
            route: key.to_string(),
            reason: kept.to_string(),
        });
        let conflicts = table.conflicts.iter().map(|conflict| ConflictDocument {
            route: conflict.key.to_string(),
            object: conflict.loser.to_string(),
            served_by: conflict.winner.as_ref().map(ToString::to_string),
            reason: conflict.reason.to_string(),
        });
        let refused = table.refused.iter().map(|refusal| RefusedDocument {
            object: refusal.object.to_string(),
            field: refusal.path.to_string(),
            reason: refusal.reason.to_string(),
        });
        let routes = table.routes.iter().map(|(key, route)| ServedDocument {
            route: key.to_string(),
            object: route.source.object.to_string(),
            backends: route.backends.iter().map(ToString::to_string).collect(),
        });
        Self {
            routes: routes.collect(),
            kept: kept.collect(),
            conflicts: conflicts.collect(),
            refused: refused.collect(),
            holds: decision.holds.iter().map(ToString::to_string).collect(),
            loss: decided.loss.clone(),
            ..Self::default()
        }
    }

    /// The cluster was not read; the document that is there stays.
    pub(crate) fn kept_last(why: String) -> Self {
        Self {
            holds: vec![why],
            keeps_last: true,
            ..Self::default()
        }
    }

    /// It was written.
    pub(crate) fn written(&mut self, path: String, next: &Remembered, ready: &Ready) {
        self.written = Some(path);
        self.generation = Some(next.published.generation);
        self.unserved = ready.unserved.iter().map(RouteKey::to_string).collect();
    }

    /// Certificates that cannot be used.
    pub(crate) fn certificates<'a>(
        &mut self,
        problems: BTreeMap<&'a ObjectKey, (String, &'a BTreeSet<RouteKey>)>,
    ) {
        let each = problems
            .into_iter()
            .map(|(secret, (reason, routes))| CertificateDocument {
                secret: secret.to_string(),
                reason,
                routes: routes.iter().map(RouteKey::to_string).collect(),
            });
        self.certificates = each.collect();
    }

    /// Whether anything is not as somebody wants it.
    pub(crate) fn has_warnings(&self) -> bool {
        !self.conflicts.is_empty()
            || !self.refused.is_empty()
            || !self.holds.is_empty()
            || !self.unserved.is_empty()
            || !self.certificates.is_empty()
    }
}

/// As JSON.
pub(crate) fn json(command: &str, exit: Exit, rendered: &Rendered) -> String {
    documents::text(command, exit, rendered)
}

/// For people.
pub(crate) fn text(rendered: &Rendered) -> String {
    let mut text = String::new();
    for hold in &rendered.holds {
        text.push_str(&format!("held: {hold}\n"));
    }
    if let Some(loss) = &rendered.loss {
        let help = style::paint(style::BOLD, "help:");
        text.push_str(&format!(
            "    {help} if this is meant, run it again with --accept-loss {loss}\n"
        ));
    }
    for kept in &rendered.kept {
        text.push_str(&format!("kept {}: {}\n", kept.route, kept.reason));
    }
    for conflict in &rendered.conflicts {
        let by = match &conflict.served_by {
            Some(winner) => format!("it is served by {winner}"),
            None => "nobody serves it".to_owned(),
        };
        let ConflictDocument {
            object,
            route,
            reason,
            ..
        } = conflict;
        text.push_str(&format!(
            "{object} does not serve {route}: {reason}; {by}\n"
        ));
    }
    for refused in &rendered.refused {
        let RefusedDocument {
            object,
            field,
            reason,
        } = refused;
        text.push_str(&format!("refused {object}: {field}: {reason}\n"));
    }
    for route in &rendered.unserved {
        text.push_str(&format!(
            "{route} is not served: the edge has no port for TLS; name one with --https-port\n"
        ));
    }
    for certificate in &rendered.certificates {
        let CertificateDocument {
            secret,
            reason,
            routes,
        } = certificate;
        let routes = list(routes);
        text.push_str(&format!("{secret} is of no use for {routes}: {reason}\n"));
    }
    let routes = rendered.routes.len() + rendered.kept.len();
    match (&rendered.written, rendered.keeps_last) {
        (Some(path), _) => {
            text.push_str(&format!("wrote {path}: {}\n", count(routes, "route")));
        }
        (None, true) => text.push_str("nothing was written; the document that is there stays\n"),
        (None, false) => text.push_str("nothing was written\n"),
    }
    text
}
