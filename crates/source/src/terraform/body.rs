//! The bodies of blocks to values: attributes as they are, blocks as lists of objects.

use std::{collections::BTreeMap, sync::Arc};

use hcl_edit::{
    Span as _,
    expr::Expression,
    structure::{Block, Body, Structure},
};

use super::{
    engine::{Engine, Name, Outcome, Scope},
    expression::{not, pairs, placed},
    failure::Failure,
    load::Part,
    resources,
    value::Value,
};

/// Arguments of resources that say nothing of what is declared.
const META: &[&str] = &[
    "connection",
    "count",
    "depends_on",
    "for_each",
    "lifecycle",
    "provider",
    "provisioner",
];

/// Why attributes that are not written are unknown.
const COMPUTED: &str = "set when Terraform runs, not in its files";

type Gathered = BTreeMap<Arc<str>, Value>;

impl<'a> Engine<'a> {
    /// The body of a resource, without what concerns Terraform alone. What fails is reported, and
    /// unknown.
    pub(super) fn resource_body(&self, part: &Part, scope: Scope<'_, 'a>) -> Outcome {
        Value::object(self.gather(&part.body, true, scope)?)
    }

    fn gather(
        &self,
        body: &Body,
        outermost: bool,
        scope: Scope<'_, 'a>,
    ) -> Result<Gathered, Failure> {
        let mut fields = Gathered::new();
        let mut blocks: BTreeMap<Arc<str>, Vec<Value>> = BTreeMap::new();
        for structure in body {
            match structure {
                Structure::Attribute(attribute) => {
                    let name = attribute.key.value().as_str();
                    if outermost && META.contains(&name) {
                        continue;
                    }
                    let site = scope.site(attribute.key.span());
                    let value = self.evaluate_leniently(&attribute.value, scope)?;
                    fields.insert(name.into(), placed(&attribute.value, value, scope, site));
                }
                Structure::Block(block) if block.has_ident("dynamic") => {
                    let name = block.labels.first().map_or("", |label| label.as_str());
                    let all = blocks.entry(name.into()).or_default();
                    self.dynamic(block, scope, all)?;
                }
                Structure::Block(block) => {
                    let name = block.ident.value().as_str();
                    if outermost && META.contains(&name) {
                        continue;
                    }
                    let inner = self.deeper(|| self.gather(&block.body, false, scope))?;
                    let value = Value::object(inner)?.at(scope.site(block.span()));
                    blocks.entry(name.into()).or_default().push(value);
                }
            }
        }
        for (name, values) in blocks {
            let site = values.first().and_then(|value| value.at);
            fields.insert(name, Value::list(values)?.at(site));
        }
        Ok(fields)
    }

    /// Adds the blocks that a `dynamic` block stands for.
    fn dynamic(
        &self,
        block: &Block,
        scope: Scope<'_, 'a>,
        all: &mut Vec<Value>,
    ) -> Result<(), Failure> {
        let site = scope.site(block.span());
        match self.dynamic_blocks(block, scope, all) {
            Err(failure) if !failure.details().fatal => {
                let fallback = self.place(scope.file.unwrap_or_default(), 0);
                let reason = self.fail(&failure, site, &fallback);
                all.push(Value::unknown(reason).at(site));
                Ok(())
            }
            other => other,
        }
    }

    fn dynamic_blocks(
        &self,
        block: &Block,
        scope: Scope<'_, 'a>,
        all: &mut Vec<Value>,
    ) -> Result<(), Failure> {
        let label = block.labels.first().map_or("", |label| label.as_str());
        let site = scope.site(block.span());
        let missing =
            |what: &str| Failure::new(format!("the `dynamic` block has no `{what}`")).at(site);
        let each = block
            .body
            .get_attribute("for_each")
            .ok_or_else(|| missing("for_each"))?;
        let content = block
            .body
            .get_blocks("content")
            .next()
            .ok_or_else(|| missing("content"))?;
        let iterator = match block
            .body
            .get_attribute("iterator")
            .map(|attribute| &attribute.value)
        {
            Some(Expression::Variable(name)) => name.value().as_str(),
            Some(Expression::String(name)) => name.value(),
            Some(_) => return Err(Failure::new("`iterator` is not a name").at(site)),
            None => label,
        };
        let collection = self.evaluate(&each.value, scope)?;
        let each_site = scope.site_of(&each.value);
        if collection.is_null() {
            return Err(not(&collection, "`for_each`", "a list, set, map or object").at(each_site));
        }
        let pairs = pairs(&collection).map_err(|failure| failure.at(each_site))?;
        let pairs = match pairs {
            Ok(pairs) => pairs,
            Err(reason) => {
                all.push(Value::unknown(reason).at(site));
                return Ok(());
            }
        };
        for (key, value) in pairs {
            self.step()?;
            let fields = [(Arc::from("key"), key), (Arc::from("value"), value)];
            let name = Name {
                word: iterator,
                value: Value::object(fields.into())?,
                up: scope.names,
            };
            let inner = scope.with(&name);
            let gathered = self.deeper(|| self.gather(&content.body, false, inner))?;
            all.push(Value::object(gathered)?.at(scope.site(content.span())));
        }
        Ok(())
    }

    /// A resource or data source as other expressions see it: what is written is known, what the
    /// provider adds is not.
    pub(super) fn attributes_of(
        &self,
        part: &Part,
        kind: &str,
        is_data: bool,
        scope: Scope<'_, 'a>,
    ) -> Outcome {
        if let Some(place) = &part.overridden {
            return Ok(Value::unknown(format!("overridden at {place}")));
        }
        let mut fields = self.gather(&part.body, true, scope)?;
        let of_kubernetes = kind.starts_with("kubernetes_");
        if of_kubernetes && !is_data {
            resources::add_computed(kind, &mut fields)?;
        }
        // How providers other than this one show blocks differs.
        if !of_kubernetes {
            let blocks: Vec<&str> = part
                .body
                .blocks()
                .map(|block| match block.labels.first() {
                    Some(label) if block.has_ident("dynamic") => label.as_str(),
                    _ => block.ident.value().as_str(),
                })
                .collect();
            fields.retain(|name, _| !blocks.contains(&&**name));
        }
        open(fields)
    }
}

/// An object of which more is unknown; so are the blocks within.
fn open(fields: Gathered) -> Outcome {
    let opened = fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| Ok((name, open_blocks(value)?)));
    let opened = opened.collect::<Result<Gathered, Failure>>()?;
    Value::partial_object(opened, Some(COMPUTED.into()))
}

/// Recursion is bounded by the depth of values.
fn open_blocks(value: Value) -> Outcome {
    let Some(items) = value.items() else {
        return Ok(value);
    };
    if items.is_empty() || items.iter().any(|item| item.fields().is_none()) {
        return Ok(value);
    }
    let items = items.iter().map(|item| match item.fields() {
        Some(object) if object.rest.is_none() => Ok(open(object.fields.clone())?
            .at(item.at)
            .secret_if(item.secret)),
        _ => Ok(item.clone()),
    });
    let list = Value::list(items.collect::<Result<_, Failure>>()?)?;
    Ok(list.at(value.at).secret_if(value.secret))
}
