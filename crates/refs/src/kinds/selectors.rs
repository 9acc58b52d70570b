//! Structured selectors of pods and of namespaces.

use underpin_model::{GroupKind, LabelSelector, Relation, Requirement, Strength, Target};

use crate::{
    collector::{Collector, Link},
    field::Field,
    index::NAMESPACE_NAME_LABEL,
};

/// A structured selector of pods in one namespace, or in all.
pub(crate) fn pods<'a>(collector: &mut Collector<'a>, field: &Field<'a>, namespace: Option<&str>) {
    if let Some(selector) = LabelSelector::from_structured(field.value) {
        collector.selects(field, GroupKind::core("Pod"), namespace, selector);
    }
}

/// A structured selector of namespaces. Those that it names by `kubernetes.io/metadata.name` are
/// referred to by name; any other requirement makes it a selection. One without requirements
/// singles no namespace out. Returns the names.
pub(crate) fn namespaces<'a>(collector: &mut Collector<'a>, field: &Field<'a>) -> Vec<&'a str> {
    let Some(selector) = LabelSelector::from_structured(field.value) else {
        return Vec::new();
    };
    let named = named_namespaces(field);
    for name in &named {
        collector.named(name, None, &Link::namespace());
    }
    let only_names = selector.0.iter().all(
        |requirement| matches!(requirement, Requirement::In(key, _) if key == NAMESPACE_NAME_LABEL),
    );
    if !only_names {
        let note = format!("selects namespaces with {selector}");
        collector.state(
            field.path.clone(),
            Target::Namespaces(selector),
            Relation::Selects,
            Strength::Optional,
            note,
        );
    }
    named.iter().filter_map(Field::text).collect()
}

fn named_namespaces<'a>(field: &Field<'a>) -> Vec<Field<'a>> {
    let by_label = field
        .get("matchLabels")
        .and_then(|labels| labels.get(NAMESPACE_NAME_LABEL));
    let by_expression = field
        .each("matchExpressions")
        .filter(|expression| {
            expression.text_at("key") == Some(NAMESPACE_NAME_LABEL)
                && expression.text_at("operator") == Some("In")
        })
        .flat_map(|expression| expression.each("values"));
    by_label.into_iter().chain(by_expression).collect()
}
