//! Documents to objects.

use std::{collections::BTreeMap, sync::Arc};

use underpin_model::{Depth, Object, ObjectKey, Origin, Place, canonical_group};

use super::{Documents, Variables, identity};
use crate::{
    Diagnostic,
    substitute::{refers_to, substitute},
    yaml::{Content, Field, Node, NodeDocument, Scalar, parse_nodes, to_value_and_spans},
};

/// Substitutes variables where the source asks for it, and turns documents into objects in the
/// order of reading. Lists are flattened; stack files among the manifests are left out. Each
/// object's origin holds the position of every field. What is not an object, or cannot be applied
/// again and again, is reported.
pub fn render(documents: &Documents, variables: &Variables) -> (Vec<Object>, Vec<Diagnostic>) {
    let mut renderer = Renderer::default();
    for source in &documents.sources {
        for document in &source.documents {
            let root = if source.substitute {
                let (root, diagnostics) = substitute(document, variables);
                renderer.diagnostics.extend(diagnostics);
                root
            } else {
                document.root.clone()
            };
            renderer.flatten(root, document);
        }
    }
    (renderer.objects, renderer.diagnostics)
}

/// The objects of a dump, as `kubectl get --output yaml` writes it: what is there, not what is to be
/// applied. An object that is dumped twice counts once. A dump may be large: of what became an object, nothing
/// else stays.
pub(crate) fn dumped(documents: Documents) -> (Vec<Object>, Vec<Diagnostic>) {
    let mut renderer = Renderer {
        may_repeat: true,
        ..Renderer::default()
    };
    for mut document in documents
        .sources
        .into_iter()
        .flat_map(|source| source.documents)
    {
        renderer.flatten(document.take_root(), &document);
    }
    (renderer.objects, renderer.diagnostics)
}

/// The objects among the documents of a repository, whatever else lies there.
pub(crate) fn found(documents: &Documents) -> Found {
    let mut renderer = Renderer {
        may_repeat: true,
        ..Renderer::default()
    };
    for source in &documents.sources {
        for document in &source.documents {
            let mut root = document.root.clone();
            if is_object(&root) {
                name_as_generated(&mut root);
                renderer.flatten(root, document);
            }
        }
    }
    Found {
        objects: renderer.objects,
        repeated: renderer.repeated,
        diagnostics: renderer.diagnostics,
    }
}

/// What [`found`] found.
pub(crate) struct Found {
    pub(crate) objects: Vec<Object>,
    /// Where an object stands that was found before.
    pub(crate) repeated: Vec<Repeated>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// An object that is declared in several places, such as for several clusters. The first counts.
#[derive(Clone, Debug)]
pub struct Repeated {
    /// The object.
    pub key: ObjectKey,
    /// Where it stands again.
    pub place: Place,
    /// Where it stands first.
    pub first: Place,
    /// What stands there.
    pub object: Object,
}

/// Whether a document of a repository is an object: settings of other programs are none, and neither
/// is what tells kustomize what to do.
fn is_object(node: &Node) -> bool {
    let Some(version) = node.text_at("apiVersion") else {
        return false;
    };
    node.get("kind").is_some() && !version.starts_with("kustomize.config.k8s.io/")
}

/// An object that gets its name in the cluster is called by what that begins with.
fn name_as_generated(root: &mut Node) {
    let Content::Mapping(fields) = &mut root.content else {
        return;
    };
    let metadata = fields.iter_mut().find(|field| field.key == "metadata");
    let Some(Content::Mapping(metadata)) = metadata.map(|field| &mut field.value.content) else {
        return;
    };
    let has_name = metadata.iter().any(|field| field.key == "name");
    let generated = metadata
        .iter_mut()
        .find(|field| field.key == "generateName");
    if let (false, Some(generated)) = (has_name, generated) {
        "name".clone_into(&mut generated.key);
    }
}

/// Whether any document whose source substitutes refers to `${name}`.
pub fn uses_variable(documents: &Documents, name: &str) -> bool {
    let mut sources = documents.sources.iter().filter(|source| source.substitute);
    sources.any(|source| {
        let mut documents = source.documents.iter();
        documents.any(|document| refers_to(&document.root, name))
    })
}

/// The objects of a manifest text that no user wrote; `label` names it in problems.
pub(crate) fn objects_of_text(
    label: &str,
    text: &str,
    origin: &Origin,
) -> (Vec<Object>, Vec<Diagnostic>) {
    let (documents, diagnostics) = parse_nodes(label, text);
    let mut renderer = Renderer {
        diagnostics,
        ..Renderer::default()
    };
    for document in documents {
        renderer.flatten(document.root.clone(), &document);
    }
    for object in &mut renderer.objects {
        object.origin = origin.clone();
    }
    (renderer.objects, renderer.diagnostics)
}

#[derive(Default)]
struct Renderer {
    objects: Vec<Object>,
    diagnostics: Vec<Diagnostic>,
    /// Where each object was declared first, whatever the API group it was reached through.
    declared: BTreeMap<ObjectKey, Place>,
    /// Whether an object that is there again is no problem.
    may_repeat: bool,
    repeated: Vec<Repeated>,
}

impl Renderer {
    /// Recursion is bounded by the parser's bound on depth.
    fn flatten(&mut self, node: Node, document: &NodeDocument) {
        let Some(list_of) = list_of(&node) else {
            return self.object(node, document);
        };
        let api_version = node.get("apiVersion").cloned();
        let Content::Mapping(fields) = node.content else {
            return;
        };
        let items = fields.into_iter().find(|field| field.key == "items");
        let Some(Content::Sequence(items)) = items.map(|field| field.value.content) else {
            return;
        };
        for mut item in items {
            // The API server leaves both out inside a list of one kind.
            if let (ListOf::Kind(kind), Content::Mapping(fields)) = (&list_of, &mut item.content) {
                complete(fields, kind, api_version.as_ref(), item.at);
            }
            self.flatten(item, document);
        }
    }

    fn object(&mut self, node: Node, document: &NodeDocument) {
        if is_stack_document(&node) {
            return;
        }
        let problems = identity::check(&node, document);
        if !problems.is_empty() {
            self.diagnostics.extend(problems);
            return;
        }
        let place = document.place(node.at);
        let (value, spans) = to_value_and_spans(node);
        let origin = Origin::Declared {
            place: place.clone(),
            spans: Arc::new(spans),
        };
        let Some(object) = Object::from_value(value, Depth::Full, origin) else {
            let message = "not a Kubernetes object";
            self.diagnostics.push(Diagnostic::new(place, message));
            return;
        };
        let mut key = object.key.clone();
        let group = canonical_group(&object.key.kind.group, &object.key.kind.kind);
        group.clone_into(&mut key.kind.group);
        if let Some(first) = self.declared.get(&key) {
            if self.may_repeat {
                self.repeated.push(Repeated {
                    key: object.key.clone(),
                    place,
                    first: first.clone(),
                    object,
                });
                return;
            }
            let message = format!("{} is declared twice, first at {first}", object.key);
            self.diagnostics
                .push(Diagnostic::new(place, message).with_help("remove or rename one of the two"));
            return;
        }
        self.declared.insert(key, place);
        self.objects.push(object);
    }
}

/// What a list holds.
enum ListOf {
    /// Objects that each say what they are.
    Anything,
    /// Objects of this kind, which may leave it out.
    Kind(String),
}

/// What the node is a list of; `None` if it is no list.
fn list_of(node: &Node) -> Option<ListOf> {
    let kind = node.text_at("kind")?;
    let item_kind = kind.strip_suffix("List")?;
    let has_items = matches!(
        node.get("items").map(|field| &field.value.content),
        Some(Content::Sequence(_))
    );
    match (item_kind, has_items) {
        ("", _) => Some(ListOf::Anything),
        (_, true) => Some(ListOf::Kind(item_kind.to_owned())),
        // A kind that happens to end in `List`.
        (_, false) => None,
    }
}

fn complete(
    fields: &mut Vec<Field>,
    kind: &str,
    api_version: Option<&Field>,
    at: crate::yaml::Position,
) {
    if fields
        .iter()
        .any(|field| field.key == "kind" || field.key == "apiVersion")
    {
        return;
    }
    let scalar = Scalar {
        value: kind.into(),
        written: None,
        plain: false,
    };
    let value = Node {
        content: Content::Scalar(scalar),
        at,
    };
    fields.push(Field {
        key: "kind".to_owned(),
        key_at: at,
        value,
        merged: false,
    });
    fields.extend(api_version.cloned());
}

/// Whether a document is what a stack file holds.
pub(crate) fn is_stack_document(node: &Node) -> bool {
    let ours = node
        .text_at("apiVersion")
        .is_some_and(|version| version.starts_with("underpin.dev/"));
    ours && node.text_at("kind") == Some("Stack")
}
