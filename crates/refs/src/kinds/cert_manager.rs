//! cert-manager: certificates and their issuers.

use underpin_model::{GroupKind, Relation};

use crate::{
    collector::{Collector, Link},
    field::Field,
};

const GROUP: &str = "cert-manager.io";

pub(crate) fn certificate(collector: &mut Collector<'_>) {
    let Some(issuer) = collector.root().at("spec.issuerRef") else {
        return;
    };
    let group = issuer.text_at("group").unwrap_or(GROUP);
    let Some(name) = issuer.get("name").filter(|_| group == GROUP) else {
        return;
    };
    issuer_named(collector, &name, issuer.text_at("kind").unwrap_or("Issuer"));
}

/// An Issuer beside the object, or a ClusterIssuer.
pub(crate) fn issuer_named<'a>(collector: &mut Collector<'a>, name: &Field<'a>, kind: &str) {
    let link = Link {
        kind: GroupKind::new(GROUP, kind),
        ..Link::new("", "", Relation::Class)
    };
    let Some(text) = name.text() else { return };
    if kind == "ClusterIssuer" {
        collector.cluster_named(name.path.clone(), text, &link);
    } else {
        collector.named(name, None, &link);
    }
}

pub(crate) fn issuer(collector: &mut Collector<'_>) {
    let Some(spec) = collector.spec() else { return };
    collector.local(&spec, "ca.secretName", &Link::secret());
}
