//! Needs of one source as they are collected, before the registry is read and after it.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use underpin_model::{Evidence, Object};

use crate::{
    registry::Registry,
    root::{Root, RootKind},
    roots::{
        Candidate, RootSettings, UnknownNeed, object_candidates, text_candidates,
        text_file_candidates,
    },
};

/// The needs of one source, each once, in the order in which they were met.
#[derive(Debug, Default)]
pub struct Collector {
    candidates: Vec<Candidate>,
    /// Where each is among them: a field is met again as a text.
    places: HashMap<String, usize>,
}

impl Collector {
    /// Adds needs that are certain.
    pub fn add(&mut self, roots: impl IntoIterator<Item = Root>) {
        self.candidates(roots.into_iter().map(Candidate::from));
    }

    fn candidates(&mut self, candidates: impl IntoIterator<Item = Candidate>) {
        for candidate in candidates {
            let Root {
                source,
                evidence,
                target,
                ..
            } = &candidate.root;
            match self.places.entry(format!("{source} {evidence} {target:?}")) {
                Entry::Vacant(place) => {
                    place.insert(self.candidates.len());
                    self.candidates.push(candidate);
                }
                Entry::Occupied(place) => {
                    let first = self.candidates.get_mut(*place.get());
                    if let Some(first) = first.filter(|first| first.only_listed)
                        && !candidate.only_listed
                    {
                        *first = candidate;
                    }
                }
            }
        }
    }

    /// Adds what an object needs, by its fields and by any text in it; returns what cannot be told.
    pub fn object(&mut self, object: &Object, settings: RootSettings<'_>) -> Vec<UnknownNeed> {
        let (roots, unknown) = object_candidates(object, settings);
        self.candidates(roots);
        self.candidates(text_candidates(object, settings));
        unknown
    }

    /// Adds what the objects of a revision need that Helm keeps to roll back to; returns what cannot be told.
    /// What stores it is the evidence, with a note for each need.
    pub fn revision<'o>(
        &mut self,
        objects: impl IntoIterator<Item = &'o Object>,
        settings: RootSettings<'_>,
        evidence: &dyn Fn(String) -> Evidence,
    ) -> Vec<UnknownNeed> {
        let (mut all, mut unknown) = (Vec::new(), Vec::new());
        for object in objects {
            let (found, more) = object_candidates(object, settings);
            all.extend(found);
            all.extend(text_candidates(object, settings));
            unknown.extend(more);
        }
        for Candidate { root, .. } in &mut all {
            root.kind = RootKind::HelmRevision;
            let Evidence { object, path, .. } = &root.evidence;
            root.evidence = evidence(format!("{object} {path}"));
        }
        self.candidates(all);
        unknown
    }

    /// Adds what a file of any sort names.
    pub fn file(&mut self, path: &str, text: &str, registry: &Registry, source: &Arc<str>) {
        self.candidates(text_file_candidates(path, text, registry, source));
    }

    /// Changes where needs were met.
    pub fn relabel(&mut self, relabel: impl Fn(&mut Root)) {
        for candidate in &mut self.candidates {
            relabel(&mut candidate.root);
        }
    }

    /// The needs that are some whatever the registry has.
    pub fn certain(&self) -> impl Iterator<Item = &Root> {
        let candidates = self.candidates.iter();
        let certain = candidates.filter(|candidate| !candidate.only_listed);
        certain.map(|candidate| &candidate.root)
    }

    /// Nothing is added any more that might be there already.
    pub fn close(&mut self) {
        self.places = HashMap::new();
        self.candidates.shrink_to_fit();
    }

    /// The needs, now that it is known what the registry has.
    pub fn needs(self, registry: &Registry) -> impl Iterator<Item = Root> {
        let candidates = self.candidates.into_iter();
        let needs = candidates.filter(|candidate| candidate.is_need(registry));
        needs.map(|candidate| candidate.root)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;
    use underpin_model::{Depth, Origin, World};
    use underpin_refs::ImageSources;

    use super::*;
    use crate::{
        reference::{Host, RepositoryPath},
        registry::{Deletion, Repository},
    };

    /// R4.1: what a Secret or any file says counts only if the registry has it, a revision of Helm's included;
    /// and what is met twice is a need once.
    #[test]
    fn r4_1_what_may_be_secret_counts_as_far_as_the_registry_has_it() {
        let host = "registry.example.com";
        let names = Registry::new(Host::new(host).unwrap(), Deletion::TagsAlone);
        let object = |kind: &str, value: serde_json::Value| {
            let mut object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a", "namespace": "b"}});
            object["spec"] = value.clone();
            object["stringData"] = value;
            Object::from_value(object, Depth::Full, Origin::Live).unwrap()
        };
        let secret = object(
            "Secret",
            json!({"x": format!("{host}/team/web:1 {host}/team/hidden:2")}),
        );
        let pod = object(
            "Pod",
            json!({"containers": [{"name": "a", "image": format!("{host}/team/pod:3")}]}),
        );
        let (world, source) = (World::default(), Arc::from("test"));
        let settings = RootSettings {
            registry: &names,
            sources: ImageSources {
                world: &world,
                read_yaml: &|_| Err("none".to_owned()),
            },
            source: &source,
        };
        let mut needs = Collector::default();
        for one in [&secret, &pod, &pod] {
            assert!(needs.object(one, settings).is_empty());
        }
        let evidence = |note: String| secret.evidence(underpin_model::FieldPath::root(), note);
        needs.revision([&secret], settings, &evidence);
        needs.file(
            ".env",
            &format!("{host}/team/web:4 {host}/team/lost:5"),
            &names,
            &source,
        );
        needs.close();
        let pod = format!("{host}/team/pod:3");
        let told = |roots: &mut dyn Iterator<Item = Root>| -> BTreeSet<String> {
            roots.map(|root| root.target.to_string()).collect()
        };
        let certain = needs.certain().filter(|root| root.kind == RootKind::Pod);
        assert_eq!(certain.count(), 1);
        assert_eq!(
            told(&mut needs.certain().cloned()),
            BTreeSet::from([pod.clone()])
        );
        let mut read = names.clone();
        let path = RepositoryPath::new("team/web").unwrap();
        read.repositories.insert(path, Repository::default());
        let all: Vec<Root> = needs.needs(&read).collect();
        let web = ["1", "4"].map(|tag| format!("{host}/team/web:{tag}"));
        let expect = web.into_iter().chain([pod]).collect();
        assert_eq!(told(&mut all.iter().cloned()), expect);
        assert!(all.iter().any(|root| root.kind == RootKind::HelmRevision));
    }
}
