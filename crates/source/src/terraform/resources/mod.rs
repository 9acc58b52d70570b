//! Resources to objects.

mod convert;
mod table;

pub(super) use table::At;

use std::{collections::BTreeMap, sync::Arc};

use super::{
    engine::Outcome,
    expression::not,
    failure::Failure,
    functions,
    value::{Data, Value},
};

/// What a resource type is to Kubernetes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It declares one object.
    Object,
    /// It declares what its chart says.
    Release,
    /// Nothing that is known.
    Nothing,
}

pub(super) fn meaning(resource: &str) -> Meaning {
    match resource {
        "kubernetes_manifest" | "kubectl_manifest" => Meaning::Object,
        "helm_release" => Meaning::Release,
        _ if table::kind_of(resource).is_some() => Meaning::Object,
        _ => Meaning::Nothing,
    }
}

/// API version and kind that a resource type always makes.
pub(super) fn kind_of(resource: &str) -> Option<(&'static str, &'static str)> {
    table::kind_of(resource)
}

/// Whether an argument of a typed resource holds a map whose keys are the user's own.
pub(super) fn is_map(at: At<'_>, argument: &str) -> bool {
    table::is_map(at, argument)
}

/// The API's field that an argument becomes.
pub(super) fn field_of(at: At<'_>, argument: &str) -> String {
    table::list(at, argument).map_or_else(|| table::field_name(argument), str::to_owned)
}

/// The object that a resource's body declares.
pub(super) fn object(resource: &str, body: &Value) -> Outcome {
    let argument = |name: &str| {
        let fields = body.fields();
        fields.and_then(|fields| fields.fields.get(name)).cloned()
    };
    match resource {
        "kubernetes_manifest" => match argument("manifest") {
            Some(manifest) => without_nulls(&manifest),
            None => Err(Failure::new("the resource has no `manifest`")),
        },
        "kubectl_manifest" => {
            let Some(text) = argument("yaml_body") else {
                return Err(Failure::new("the resource has no `yaml_body`"));
            };
            let object = yaml_body(&text).map_err(|failure| failure.at(text.at))?;
            let object = object.secret_if(text.secret).at(text.at);
            match argument("override_namespace") {
                Some(namespace) if !namespace.is_null() => in_namespace(&object, namespace),
                _ => Ok(object),
            }
        }
        _ => convert::typed(resource, body)
            .unwrap_or_else(|| Err(Failure::new("the resource declares no object"))),
    }
}

/// The one document of a text.
fn yaml_body(text: &Value) -> Outcome {
    if let Some(reason) = text.reason() {
        return Ok(Value::unknown(reason));
    }
    let Some(body) = text.to_text() else {
        return Err(not(text, "`yaml_body`", "a string"));
    };
    let mut documents = functions::manifests(&body)?.into_iter();
    match (documents.next(), documents.next()) {
        (Some(document), None) => Ok(document),
        (None, _) => Err(Failure::new("`yaml_body` is empty")),
        (Some(_), Some(_)) => Err(Failure::new("`yaml_body` holds more than one document")
            .with_help("make a resource of each, with `for_each` over the documents")),
    }
}

fn in_namespace(object: &Value, namespace: Value) -> Outcome {
    let Some(fields) = object.fields() else {
        return Ok(object.clone());
    };
    let mut fields = fields.fields.clone();
    let metadata = fields.get("metadata").and_then(Value::fields);
    let mut inner = metadata
        .map(|inner| inner.fields.clone())
        .unwrap_or_default();
    inner.insert("namespace".into(), namespace);
    fields.insert("metadata".into(), Value::object(inner)?);
    Ok(Value::object(fields)?
        .secret_if(object.secret)
        .at(object.at))
}

/// The value without fields that are null: the provider does not send them. Recursion is bounded by
/// the depth of values.
fn without_nulls(value: &Value) -> Outcome {
    let made = match &value.data {
        Data::Object(object) => {
            let fields = object.fields.iter().filter(|(_, field)| !field.is_null());
            let fields = fields.map(|(key, field)| Ok((Arc::clone(key), without_nulls(field)?)));
            let fields = fields.collect::<Result<_, Failure>>()?;
            Value::partial_object(fields, object.rest.clone())?
        }
        Data::List(items) | Data::Set(items) => {
            let items = items.items.iter().map(without_nulls);
            Value::list(items.collect::<Result<_, _>>()?)?
        }
        _ => return Ok(value.clone()),
    };
    Ok(made.secret_if(value.secret).at(value.at))
}

/// Adds to a resource's arguments what the provider surely makes of them: the namespace `default`,
/// `id`, and the identity in `object` of a manifest.
pub(super) fn add_computed(
    resource: &str,
    fields: &mut BTreeMap<Arc<str>, Value>,
) -> Result<(), Failure> {
    if resource == "kubernetes_manifest" {
        return add_identity(fields);
    }
    let Some((version, kind)) = kind_of(resource) else {
        return Ok(());
    };
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let namespaced = underpin_model::builtin_kind(group, kind).is_some_and(|row| row.namespaced);
    let Some(metadata) = fields.get("metadata").and_then(Value::items) else {
        return Ok(());
    };
    let [metadata] = metadata else {
        return Ok(());
    };
    let mut single = BTreeMap::from([(Arc::from("metadata"), metadata.clone())]);
    if namespaced {
        convert::default_namespace(&mut single)?;
    }
    let Some(metadata) = single.remove("metadata") else {
        return Ok(());
    };
    let text = |name: &str| metadata.fields()?.fields.get(name)?.to_text();
    let id = match (namespaced, text("namespace"), text("name")) {
        (true, Some(namespace), Some(name)) => Some(format!("{namespace}/{name}")),
        (false, _, Some(name)) => Some(name.to_string()),
        _ => None,
    };
    fields.insert("metadata".into(), Value::list(vec![metadata])?);
    if let Some(id) = id {
        fields.insert("id".into(), Value::text(id));
    }
    Ok(())
}

fn add_identity(fields: &mut BTreeMap<Arc<str>, Value>) -> Result<(), Failure> {
    let Some(manifest) = fields.get("manifest").and_then(Value::fields) else {
        return Ok(());
    };
    let because: Arc<str> = "set by the API server".into();
    let keep = |from: &BTreeMap<Arc<str>, Value>, names: &[&str]| {
        let kept = from.iter().filter(|(name, _)| names.contains(&&***name));
        kept.map(|(name, value)| (Arc::clone(name), value.clone()))
            .collect::<BTreeMap<_, _>>()
    };
    let mut object = keep(&manifest.fields, &["apiVersion", "kind"]);
    if let Some(metadata) = manifest.fields.get("metadata").and_then(Value::fields) {
        let metadata = keep(&metadata.fields, &["name", "namespace"]);
        let metadata = Value::partial_object(metadata, Some(Arc::clone(&because)))?;
        object.insert("metadata".into(), metadata);
    }
    let object = Value::partial_object(object, Some(because))?;
    fields.insert("object".into(), object);
    Ok(())
}
