//! What is ready behind Services.

use std::collections::BTreeMap;

use underpin_model::{GroupKind, ObjectKey};

use crate::objects::{EdgeObject, Says};

/// EndpointSlices, which tell what is ready behind Services.
pub(crate) fn endpoint_slices() -> GroupKind {
    GroupKind::new("discovery.k8s.io", "EndpointSlice")
}

/// A namespace, and a name in it.
type Place = (Box<str>, Box<str>);

/// How many endpoints are ready, by the EndpointSlices that say so: the slices themselves take many times as
/// much memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadyEndpoints {
    slices: BTreeMap<Place, (Box<str>, usize)>,
}

impl ReadyEndpoints {
    /// Takes in what a slice says now. Whether it said something else before.
    pub(crate) fn set(&mut self, slice: &EdgeObject) -> bool {
        let Says::Endpoints(found) = &slice.says else {
            return self.remove(&slice.key);
        };
        let now = (found.service.as_str().into(), found.ready);
        self.slices.insert(place(&slice.key), now.clone()) != Some(now)
    }

    /// A slice is gone. Whether it said anything.
    pub(crate) fn remove(&mut self, slice: &ObjectKey) -> bool {
        self.slices.remove(&place(slice)).is_some()
    }

    /// Ready endpoints by namespace and Service.
    pub(crate) fn by_service(&self) -> BTreeMap<(&str, &str), usize> {
        let mut services = BTreeMap::new();
        for ((namespace, _), (service, ready)) in &self.slices {
            *services.entry((&**namespace, &**service)).or_default() += ready;
        }
        services
    }
}

fn place(key: &ObjectKey) -> Place {
    let namespace = key.namespace.as_deref().unwrap_or_default();
    (namespace.into(), key.name.as_str().into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use underpin_model::{Depth, Object, Origin};

    use super::*;
    use crate::Settings;

    fn slice(name: &str, service: Option<&str>, ready: usize) -> EdgeObject {
        let mut labels = json!({});
        if let Some(service) = service {
            labels["kubernetes.io/service-name"] = service.into();
        }
        let value = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": name, "namespace": "shop", "labels": labels},
            "endpoints": vec![json!({"conditions": {"ready": true}}); ready]});
        let slice = Object::from_value(value, Depth::Full, Origin::Live).unwrap();
        EdgeObject::of(&slice, &Settings::default())
    }

    #[test]
    fn slices_of_one_service_are_counted_together_and_each_is_replaced() {
        let mut ready = ReadyEndpoints::default();
        assert!(ready.set(&slice("one", Some("web"), 2)));
        assert!(ready.set(&slice("two", Some("web"), 1)));
        assert!(!ready.set(&slice("two", Some("web"), 1)));
        assert_eq!(ready.by_service(), [(("shop", "web"), 3)].into());
        assert!(ready.set(&slice("two", Some("api"), 4)));
        assert!(ready.set(&slice("one", Some("web"), 0)));
        let expect = [(("shop", "api"), 4), (("shop", "web"), 0)].into();
        assert_eq!(ready.by_service(), expect);
        // It belongs to no Service any more.
        assert!(ready.set(&slice("two", None, 4)));
        assert!(ready.remove(&slice("one", None, 0).key));
        assert!(!ready.remove(&slice("one", None, 0).key));
        assert!(ready.by_service().is_empty());
    }
}
