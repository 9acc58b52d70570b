//! Autoscalers: HorizontalPodAutoscaler (v1, v2, v2beta), VerticalPodAutoscaler, KEDA.

use underpin_model::{GroupKind, Relation};

use super::pod;
use crate::{
    collector::{Collector, Link},
    field::Field,
};

pub(crate) fn horizontal(collector: &mut Collector<'_>) {
    if let Some(target) = collector.root().at("spec.scaleTargetRef") {
        scale_target(collector, &target);
    }
}

pub(crate) fn vertical(collector: &mut Collector<'_>) {
    if let Some(target) = collector.root().at("spec.targetRef") {
        scale_target(collector, &target);
    }
}

pub(crate) fn keda_scaled_object(collector: &mut Collector<'_>) {
    let Some(spec) = collector.spec() else { return };
    if let Some(target) = spec.get("scaleTargetRef") {
        scale_target(collector, &target);
    }
    keda_triggers(collector, &spec);
}

pub(crate) fn keda_scaled_job(collector: &mut Collector<'_>) {
    let Some(spec) = collector.spec() else { return };
    if let Some(template) = spec.at("jobTargetRef.template.spec") {
        pod::pod_spec(collector, &template);
    }
    keda_triggers(collector, &spec);
}

pub(crate) fn keda_authentication(collector: &mut Collector<'_>) {
    let Some(spec) = collector.spec() else { return };
    for target in spec.each("secretTargetRef") {
        collector.local(&target, "name", &Link::secret());
    }
    for target in spec.each("configMapTargetRef") {
        collector.local(&target, "name", &Link::config_map());
    }
}

fn keda_triggers<'a>(collector: &mut Collector<'a>, spec: &Field<'a>) {
    let link = Link::new("keda.sh", "TriggerAuthentication", Relation::Secret);
    for trigger in spec.each("triggers") {
        if let Some(authentication) = trigger.get("authenticationRef") {
            collector.typed(&authentication, &link);
        }
    }
}

/// `{apiVersion, kind, name}`, always beside the autoscaler. KEDA leaves group and kind to a
/// default, and hand-written targets often lack the group.
fn scale_target<'a>(collector: &mut Collector<'a>, target: &Field<'a>) {
    let Some(name) = target.get("name") else {
        return;
    };
    let kind = target.text_at("kind").unwrap_or("Deployment");
    let version = target.text_at("apiVersion");
    let group = match (version, kind) {
        (Some(version), _) => version.split_once('/').map_or("", |(group, _)| group),
        (None, "ReplicationController") => "",
        (None, _) => "apps",
    };
    let link = Link {
        kind: GroupKind::new(underpin_model::canonical_group(group, kind), kind),
        ..Link::new("", "", Relation::ScaleTarget)
    };
    collector.named(&name, None, &link);
}
