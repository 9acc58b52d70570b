//! Services behind the routes of declared files, of a dump, or of a cluster.

use underpin_model::{Finding, ObjectKey, Relation, Severity, nearest};
use underpin_route::BackendState;

use super::{Behind, Former, behind, blocks_if, finding, is_unread, of_namesake, service};
use crate::{Survey, dangling::named, rules::up108};

pub(super) fn survey(survey: &Survey<'_>) -> Vec<Finding> {
    let routes = survey.routes();
    let former = Former::of(routes);
    let mut findings: Vec<Finding> = behind(&routes.after)
        .iter()
        .filter(|behind| survey.declares(behind.object) || survey.declares(&behind.service()))
        .filter_map(|behind| judge(survey, &former, behind))
        .collect();
    let stale = routes.after.stale.iter().filter(|stale| {
        survey.declares(&stale.object)
            && !told_as_stale(survey, &stale.object, &service(&stale.upstream))
    });
    findings.extend(stale.filter_map(|stale| of_namesake(survey.after.world, stale)));
    findings
}

/// Whether UP108 tells that an entry names the wrong namespace; where nothing but the edge is asked
/// about, nobody does.
fn told_as_stale(survey: &Survey<'_>, object: &ObjectKey, service: &ObjectKey) -> bool {
    !survey.edge.alone
        && survey.references().from(object).any(|reference| {
            reference.relation == Relation::Upstream
                && named(reference) == Some(service)
                && up108::is_stale_in(survey, reference)
        })
}

fn judge(survey: &Survey<'_>, former: &Former<'_>, behind: &Behind<'_>) -> Option<Finding> {
    let world = survey.after.world;
    let service = behind.service();
    let is_new = former.differs(behind);
    let (severity, what, unknown) = match &behind.backend.state {
        BackendState::Missing if told_as_stale(survey, behind.object, &service) => return None,
        BackendState::Missing => missing(survey, &service, is_new)?,
        BackendState::NoPort => (blocks_if(is_new), "has no such port", false),
        BackendState::Terminating => (Severity::Warn, "is being deleted", false),
        // Of what is not live yet, nothing can be ready.
        BackendState::NotReady if is_live(survey, &service) => {
            (Severity::Warn, "has nothing ready behind it", false)
        }
        BackendState::Unknown(_) if survey.is_whole() && is_unread(world, &service) => {
            (Severity::Warn, "could not be read", true)
        }
        _ => return None,
    };
    let mut finding = finding(world, behind, severity, what);
    finding.unknown = unknown;
    Some(finding)
}

fn is_live(survey: &Survey<'_>, service: &ObjectKey) -> bool {
    let live = survey.live.as_ref();
    survey.edge.is_whole || live.is_some_and(|live| live.world.get(service).is_some())
}

/// A Service that is not there. Files of one repository are hardly ever all that a cluster holds: it
/// is told where they removed it, where they declare others beside it, or one of nearly its name.
fn missing(
    survey: &Survey<'_>,
    service: &ObjectKey,
    is_new: bool,
) -> Option<(Severity, &'static str, bool)> {
    if survey.is_whole() {
        return Some((blocks_if(is_new), "is not there", false));
    }
    let before = survey.before.as_ref();
    if before.is_some_and(|before| before.world.get(service).is_some()) {
        return Some((Severity::Block, "is removed by this change", false));
    }
    let declared = survey.declared.of_kind(&service.kind);
    let beside: Vec<&str> = declared
        .filter(|object| object.key.namespace == service.namespace)
        .map(|object| object.key.name.as_str())
        .collect();
    let near = nearest(&service.name, beside.iter().copied()).is_some();
    let others = !beside.is_empty() && !survey.is_opaque;
    let what = "is not declared in these files, unlike others of its namespace: it may be made \
                elsewhere";
    (near || others).then_some((Severity::Warn, what, true))
}
