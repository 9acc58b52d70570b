//! Workloads: what their containers are started with and given.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    rc::Rc,
};

use underpin_model::{Confidence, Consumer, FieldPath, Object, ObjectKey, Supplier, World};

use super::{
    NeedOptions, ProblemKind, container,
    directory::Directory,
    file::sightings_of_file,
    found::Found,
    key::Hint,
    labelled::Pods,
    sighting::{Sighting, Surroundings, Trust},
};
use crate::{
    configuration::{Configuration, Entry},
    field::Field,
    pods::{CONTAINER_LISTS, namespace_of, pod_labels, pod_template},
};

/// The ConfigMap that every namespace has, which names nothing.
const CLUSTER_AUTHORITY: &str = "kube-root-ca.crt";

/// Reads workloads, one after the other.
pub(super) struct Reader<'w> {
    world: &'w World,
    pub(super) directory: &'w Directory<'w>,
    options: &'w NeedOptions,
    found: &'w mut Found,
    /// The namespace of the workload that is read.
    pub(super) namespace: String,
    consumer: Consumer,
    /// The object that is read.
    object: Option<&'w Object>,
    /// The labels of the pods that it makes.
    labels: BTreeMap<&'w str, &'w str>,
    /// What files name; those of one ConfigMap are given to many.
    files: HashMap<(ObjectKey, String), Rc<Vec<Sighting>>>,
}

/// The needs of all workloads, and of pods without one.
pub(super) fn read<'w>(
    world: &'w World,
    pods: &'w Pods<'w>,
    directory: &'w Directory<'w>,
    options: &'w NeedOptions,
    found: &'w mut Found,
) {
    let mut reader = Reader {
        world,
        directory,
        options,
        found,
        namespace: String::new(),
        consumer: Consumer::ApiServer,
        object: None,
        labels: BTreeMap::new(),
        files: HashMap::new(),
    };
    for (object, workload) in &pods.bearing {
        reader.begin(object, workload.clone());
        reader.template(object, |_| true);
    }
    // What was added to pods alone: sidecars that are injected, containers to debug.
    let mut added: HashSet<(&ObjectKey, &str)> = HashSet::new();
    for (object, owner) in &pods.spoken_for {
        let new: Vec<&str> = container_names(object)
            .filter(|name| !container_names(owner).any(|declared| declared == *name))
            .filter(|name| added.insert((&owner.key, *name)))
            .collect();
        if !new.is_empty() {
            reader.begin(object, with_namespace(&owner.key));
            reader.template(object, |name| new.contains(&name));
        }
    }
}

/// The names of the containers of a pod or template.
fn container_names(object: &Object) -> impl Iterator<Item = &str> {
    let template = pod_template(object).map(|(_, template)| template);
    let lists = CONTAINER_LISTS.iter().filter_map(move |list| {
        let containers = template?.get("spec")?.get(list)?.as_array()?;
        Some(containers.iter())
    });
    lists.flatten().filter_map(|one| one.get("name")?.as_str())
}

/// A key with the namespace in which the server would place the object.
fn with_namespace(key: &ObjectKey) -> ObjectKey {
    ObjectKey {
        namespace: Some(namespace_of(key).to_owned()),
        ..key.clone()
    }
}

fn template_spec(object: &Object) -> Option<Field<'_>> {
    let (path, value) = pod_template(object)?;
    Field { value, path }.get("spec")
}

impl<'w> Reader<'w> {
    fn begin(&mut self, object: &'w Object, workload: ObjectKey) {
        self.object = Some(object);
        self.labels = pod_labels(object).unwrap_or_default();
        namespace_of(&workload).clone_into(&mut self.namespace);
        self.consumer = Consumer::Workload(workload);
    }

    /// The containers of a template that `is_meant` holds for, and the volumes.
    fn template(&mut self, object: &'w Object, mut is_meant: impl FnMut(&str) -> bool) {
        let Some(spec) = template_spec(object) else {
            return;
        };
        let mut is_any = false;
        for list in CONTAINER_LISTS {
            for one in spec.each(list) {
                if is_meant(one.text_at("name").unwrap_or_default()) {
                    container::read(self, object, &one);
                    is_any = true;
                }
            }
        }
        if is_any {
            for volume in spec.each("volumes") {
                self.volume(&volume);
            }
        }
    }

    fn volume(&mut self, volume: &Field<'w>) {
        let own = [
            ("configMap", "ConfigMap", "name"),
            ("secret", "Secret", "secretName"),
        ];
        for (field, kind, name) in own {
            if let Some(source) = volume.get(field) {
                self.mounted(&source, kind, name);
            }
        }
        for source in volume.each("projected.sources") {
            for (field, kind) in [("configMap", "ConfigMap"), ("secret", "Secret")] {
                if let Some(source) = source.get(field) {
                    self.mounted(&source, kind, "name");
                }
            }
        }
    }

    fn mounted(&mut self, source: &Field<'w>, kind: &'static str, name: &str) {
        let Some(configuration) = self.configuration(kind, source, name) else {
            return;
        };
        let items: Option<Vec<&str>> = source.get("items").map(|items| {
            let keys = items.items();
            keys.filter_map(|item| item.text_at("key")).collect()
        });
        container::files(self, configuration, items.as_deref());
    }

    /// The ConfigMap or Secret that a source such as `{name: app}` means, if it was read and may be
    /// looked into.
    pub(super) fn configuration(
        &mut self,
        kind: &'static str,
        source: &Field<'w>,
        name: &str,
    ) -> Option<Configuration<'w>> {
        let name = source.text_at(name)?;
        let known = Configuration::of(self.world, kind, &self.namespace, name);
        let is_withheld = kind == "Secret" && !self.options.may_read_secrets;
        if known.is_some() && !is_withheld {
            return known;
        }
        if !source.is_true("optional") && name != CLUSTER_AUTHORITY {
            let why = match known {
                Some(_) => "may not be looked into",
                None => "was not read",
            };
            let note = format!(
                "{kind} {}/{name} {why}: needs that it names are not known",
                self.namespace
            );
            let evidence = self.object?.evidence(source.path.clone(), note);
            self.found.problem(ProblemKind::Unknown, evidence);
        }
        None
    }

    /// What one file names, looked for once.
    pub(super) fn file(&mut self, of: Configuration<'w>, entry: &Entry<'w>) -> Rc<Vec<Sighting>> {
        let id = (of.object.key.clone(), entry.key.to_owned());
        if let Some(known) = self.files.get(&id) {
            return known.clone();
        }
        let around = self.around(Hint::Nothing, Trust::File, of.is_secret);
        let found = sightings_of_file(&around, entry.key, &entry.text);
        let found = Rc::new(found.into_iter().collect::<Vec<_>>());
        self.files.insert(id, found.clone());
        found
    }

    pub(super) fn around(&self, hint: Hint, trust: Trust, is_secret: bool) -> Surroundings<'_> {
        Surroundings {
            directory: self.directory,
            namespace: &self.namespace,
            cluster_domain: self.options.cluster_domain.as_deref(),
            trust,
            hint,
            is_secret,
        }
    }

    /// Whether a Service is that of the workload itself, whose pods may name it to others.
    fn is_own(&self, to: &Supplier) -> bool {
        let Supplier::Service { namespace, name } = to else {
            return false;
        };
        let service = self.directory.service(namespace, name);
        let selector = service.and_then(|service| service.selector.as_ref());
        *namespace == self.namespace
            && selector.is_some_and(|selector| selector.matches(&self.labels))
    }

    /// Adds what was seen in a field as a need of the workload that is read.
    pub(super) fn see(&mut self, object: &Object, path: FieldPath, sighting: Sighting) {
        let note = format!("names {}", sighting.display());
        let port = sighting.port_ref();
        let confidence = if self.is_own(&sighting.to) {
            Confidence::Guessed
        } else {
            sighting.confidence
        };
        let to = (sighting.to, sighting.protocol, port);
        let evidence = object.evidence(path, note);
        self.found.add(&self.consumer, to, confidence, evidence);
    }
}
