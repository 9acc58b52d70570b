//! PodDisruptionBudgets.

use super::selectors;
use crate::collector::Collector;

pub(crate) fn disruption_budget(collector: &mut Collector<'_>) {
    let Some(selector) = collector.root().at("spec.selector") else {
        return;
    };
    // In v1beta1 an empty selector selects nothing; since v1 it selects the whole namespace.
    let is_empty = underpin_model::LabelSelector::from_structured(selector.value)
        .is_none_or(|selector| selector.0.is_empty());
    if is_empty && collector.object.version == "v1beta1" {
        return;
    }
    let namespace = collector.own_namespace();
    selectors::pods(collector, &selector, namespace);
}
