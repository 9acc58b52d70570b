//! The JSON form of Terraform's files: each becomes the blocks that it stands for.

use hcl_edit::{
    Ident,
    expr::{Array, Expression, Object, ObjectKey, ObjectValue},
    structure::{Attribute, Block, Body},
    template::{StringTemplate, Template},
};
use serde_json::Value as Json;

use super::{
    load::TopBlock,
    resources::{self, At},
    text::Text,
};
use crate::{
    Diagnostic,
    yaml::{Content, Field, Node, parse_nodes},
};

/// How many labels the blocks have that are read.
const LABELS: &[(&str, usize)] = &[
    ("data", 2),
    ("locals", 0),
    ("module", 1),
    ("output", 1),
    ("resource", 2),
    ("terraform", 0),
    ("variable", 1),
];

/// The blocks of a file.
pub(super) fn blocks(name: &str, text: &Text) -> (Vec<TopBlock>, Vec<Diagnostic>) {
    let (documents, diagnostics) = parse_nodes(name, &text.content);
    let mut blocks = Vec::new();
    for document in &documents {
        for field in fields(&document.root) {
            let Some((kind, labels)) = LABELS.iter().find(|(kind, _)| *kind == field.key) else {
                continue;
            };
            collect(kind, *labels, &[], field, text, &mut blocks);
        }
    }
    (blocks, diagnostics)
}

/// A file of values for variables: nothing in it is evaluated.
pub(super) fn values(name: &str, text: &Text) -> Result<Body, Vec<Diagnostic>> {
    let (documents, diagnostics) = parse_nodes(name, &text.content);
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    let mut body = Body::new();
    for field in documents.iter().flat_map(|document| fields(&document.root)) {
        push(&mut body, field, &|text| Expression::from(text));
    }
    Ok(body)
}

/// Key and folder of each module that `terraform init` has put somewhere.
pub(super) fn installed(bytes: &[u8]) -> Vec<(String, String)> {
    let Ok(list) = serde_json::from_slice::<Json>(bytes) else {
        return Vec::new();
    };
    let modules = list.get("Modules").and_then(Json::as_array);
    let text = |module: &Json, key: &str| module.get(key)?.as_str().map(str::to_owned);
    modules
        .into_iter()
        .flatten()
        .filter_map(|module| Some((text(module, "Key")?, text(module, "Dir")?)))
        .filter(|(key, _)| !key.is_empty())
        .collect()
}

fn fields(node: &Node) -> &[Field] {
    match &node.content {
        Content::Mapping(fields) => fields,
        _ => &[],
    }
}

/// One block, or, below further labels, those of each. Recursion ends with the labels.
fn collect(
    kind: &str,
    labels_left: usize,
    labels: &[String],
    field: &Field,
    text: &Text,
    blocks: &mut Vec<TopBlock>,
) {
    for node in nodes(&field.value) {
        if labels_left > 0 {
            for field in fields(node) {
                let mut labels = labels.to_vec();
                labels.push(field.key.clone());
                collect(kind, labels_left - 1, &labels, field, text, blocks);
            }
            continue;
        }
        let is_type = kind == "variable";
        let plain = |text: &str| match text.parse::<Expression>() {
            Ok(expression) if !matches!(expression, Expression::Null(_)) => expression,
            _ => Expression::from(text),
        };
        let mut body = Body::new();
        let resource = labels.first().and_then(|label| resources::kind_of(label));
        if let Some((_, kind)) = resource.filter(|_| labels.len() == 2) {
            typed(&mut body, node, At { kind, field: "" });
        } else {
            for field in fields(node) {
                match (is_type, field.key.as_str()) {
                    (true, "type") => push(&mut body, field, &plain),
                    (true, _) => push(&mut body, field, &|text| Expression::from(text)),
                    (false, _) => push(&mut body, field, &template),
                }
            }
        }
        blocks.push(TopBlock {
            kind: kind.to_owned(),
            labels: labels.to_vec(),
            body,
            offset: text.offset(field.key_at),
        });
    }
}

/// The arguments of a typed resource, of which those that hold objects are blocks, but for maps.
/// Recursion is bounded by the YAML parser.
fn typed(body: &mut Body, node: &Node, at: At<'_>) {
    for field in fields(node) {
        if field.key == "dynamic" {
            dynamic(body, &field.value, at);
            continue;
        }
        let nodes = nodes(&field.value);
        let is_block = !nodes.is_empty()
            && nodes
                .iter()
                .all(|node| matches!(node.content, Content::Mapping(_)))
            && !resources::is_map(at, &field.key);
        let Some(name) = Ident::try_new(field.key.as_str()).ok().filter(|_| is_block) else {
            push(body, field, &template);
            continue;
        };
        let inner = resources::field_of(at, &field.key);
        for node in nodes {
            let mut block = Block::new(name.clone());
            let at = At {
                field: &inner,
                ..at
            };
            typed(&mut block.body, node, at);
            body.push(block);
        }
    }
}

/// A list's items, or the node itself.
fn nodes(node: &Node) -> Vec<&Node> {
    match &node.content {
        Content::Sequence(items) => items.iter().collect(),
        _ => vec![node],
    }
}

/// `dynamic` blocks: each field names one, or a list of them.
fn dynamic(body: &mut Body, node: &Node, at: At<'_>) {
    for field in fields(node) {
        let inner = resources::field_of(at, &field.key);
        for node in nodes(&field.value) {
            let mut block = Block::new(Ident::new_sanitized("dynamic"));
            block.labels.push(field.key.as_str().into());
            for argument in fields(node) {
                if argument.key == "content" {
                    for node in nodes(&argument.value) {
                        let mut content = Block::new(Ident::new_sanitized("content"));
                        let at = At {
                            field: &inner,
                            ..at
                        };
                        typed(&mut content.body, node, at);
                        block.body.push(content);
                    }
                } else {
                    push(&mut block.body, argument, &template);
                }
            }
            body.push(block);
        }
    }
}

fn push(body: &mut Body, field: &Field, text: &dyn Fn(&str) -> Expression) {
    // What is no name cannot be an argument; Terraform uses `//` for comments.
    let Ok(name) = Ident::try_new(field.key.as_str()) else {
        return;
    };
    if !body.has_attribute(&name) {
        body.push(Attribute::new(name, expression(&field.value, text)));
    }
}

/// Recursion is bounded by the YAML parser.
fn expression(node: &Node, text: &dyn Fn(&str) -> Expression) -> Expression {
    match &node.content {
        Content::Scalar(scalar) => match &scalar.value {
            Json::Null => Expression::null(),
            Json::Bool(value) => Expression::from(*value),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Expression::from(whole),
                (None, Some(fraction)) => Expression::from(fraction),
                (None, None) => Expression::null(),
            },
            _ => text(scalar.text()),
        },
        Content::Sequence(items) => {
            let mut array = Array::new();
            for item in items {
                array.push(expression(item, text));
            }
            Expression::Array(array)
        }
        Content::Mapping(fields) => {
            let mut object = Object::new();
            for field in fields {
                let key = ObjectKey::from(text(&field.key));
                object.insert(key, ObjectValue::new(expression(&field.value, text)));
            }
            Expression::Object(object)
        }
    }
}

/// A text of an argument is a template.
fn template(text: &str) -> Expression {
    if !text.contains("${") && !text.contains("%{") {
        return Expression::from(text);
    }
    match text.parse::<Template>() {
        Ok(template) => Expression::StringTemplate(StringTemplate::from(template)),
        // Evaluates to the failure that it is.
        Err(_) => Expression::from(Ident::new_sanitized("not_a_template")),
    }
}
