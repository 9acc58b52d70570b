//! The resources of a module and of those it calls, one by one.

use std::{rc::Rc, sync::Arc};

use underpin_model::{FieldPath, Place, UnknownPart};

use super::{
    engine::{Engine, Scope, within},
    failure::Failure,
    instance::{Instance, Repetition},
    load::Part,
    output,
    read::{Configuration, DeclaredObject, Release, UnknownObject, Unread, shown_folder},
    resources::{self, Meaning},
    value::Value,
};

/// Adds what a module declares, and all below it. Recursion is bounded by the depth of calls.
pub(super) fn collect<'a>(
    engine: &Engine<'a>,
    instance: &Rc<Instance<'a>>,
    configuration: &mut Configuration,
    secrets: &mut Vec<String>,
) {
    let mut collector = Collector {
        engine,
        instance,
        configuration,
        secrets,
    };
    for ((kind, name), part) in &instance.module.resources {
        match resources::meaning(kind) {
            Meaning::Nothing => {
                let count = collector.configuration.ignored.entry(kind.clone());
                *count.or_default() += 1;
            }
            meaning => collector.resource(kind, name, part, meaning),
        }
    }
    for (name, part) in &instance.module.calls {
        let children = engine.children(instance, name);
        match children {
            Ok(Ok(children)) => {
                for (_, child) in children.iter() {
                    collect(engine, child, configuration, secrets);
                }
            }
            Ok(Err(reason)) => unread(engine, part, &reason, configuration),
            Err(failure) => {
                let place = engine.place(part.file, part.offset);
                let reason = engine.fail(&failure, None, &place);
                unread(engine, part, &reason, configuration);
            }
        }
    }
}

fn unread(engine: &Engine<'_>, part: &Part, reason: &str, configuration: &mut Configuration) {
    configuration.unread.push(Unread {
        place: engine.place(part.file, part.offset),
        reason: reason.to_owned(),
    });
}

struct Collector<'c, 'a> {
    engine: &'c Engine<'a>,
    instance: &'c Rc<Instance<'a>>,
    configuration: &'c mut Configuration,
    secrets: &'c mut Vec<String>,
}

impl Collector<'_, '_> {
    fn resource(&mut self, kind: &str, name: &str, part: &Part, meaning: Meaning) {
        let scope = Scope::of(self.instance, part.file);
        let place = self.engine.place(part.file, part.offset);
        let repetitions = match self.engine.expand(scope, part) {
            Ok(repetitions) => repetitions,
            Err(failure) => {
                let reason = Arc::from(self.engine.fail(&failure, None, &place));
                vec![if part.body.has_attribute("count") {
                    Repetition::UnknownCount(reason)
                } else {
                    Repetition::UnknownEach(reason)
                }]
            }
        };
        for repetition in repetitions {
            let suffix = repetition.suffix();
            let one = One {
                kind,
                address: format!("{}{kind}.{name}{suffix}", self.instance.address),
                place: place.clone(),
                doubt: repetition
                    .reason()
                    .cloned()
                    .or_else(|| self.instance.doubt()),
            };
            let body = within(scope, &repetition, |scope| {
                self.engine.resource_body(part, scope)
            });
            let body = match &part.overridden {
                Some(by) => Ok(Value::unknown(format!("overridden at {by}"))),
                None => body,
            };
            match (meaning, body) {
                (Meaning::Release, Ok(body)) => self.release(one, &body),
                (_, Ok(body)) if body.reason().is_none() => {
                    let object = resources::object(kind, &body);
                    self.object(one, object, part);
                }
                (_, body) => self.object(one, body, part),
            }
        }
    }

    fn object(&mut self, one: One<'_>, value: Result<Value, Failure>, part: &Part) {
        let value = value
            .unwrap_or_else(|failure| Value::unknown(self.engine.fail(&failure, None, &one.place)));
        let made = output::make(&value, self.engine.texts, part.file);
        self.secrets.extend(made.secrets.iter().cloned());
        let typed = output::version_and_kind(&made.json).or_else(|| resources::kind_of(one.kind));
        let doubt = one.doubt.as_deref();
        let known = output::object(&made, &one.place, typed, &one.address, doubt);
        let root = shown_folder(&self.instance.root.folder);
        let mut parts = made.unknown;
        if known.is_none() && parts.is_empty() {
            let message =
                "what the resource declares has no `apiVersion`, `kind` or `metadata.name`";
            let failure = Failure::new(message);
            let reason = self.engine.fail(&failure, None, &one.place);
            parts.push(UnknownPart {
                path: FieldPath::root(),
                reason,
                pattern: None,
            });
        }
        match known {
            Some(object) if object.unknown.is_empty() => {
                self.configuration.objects.push(DeclaredObject {
                    object,
                    address: one.address,
                    root,
                });
            }
            known => {
                let text = |pointer: &str| {
                    let found = made.json.pointer(pointer).and_then(|text| text.as_str());
                    found.map(str::to_owned)
                };
                self.configuration.unknown.push(UnknownObject {
                    address: one.address,
                    root,
                    place: one.place,
                    kind: typed.map(|(version, kind)| output::group_kind(version, kind)),
                    namespace: text("/metadata/namespace"),
                    name: text("/metadata/name"),
                    known,
                    parts,
                    doubt: one.doubt.map(|doubt| doubt.to_string()),
                });
            }
        }
    }

    fn release(&mut self, one: One<'_>, body: &Value) {
        let text = |name: &str| {
            let value = body.fields()?.fields.get(name)?;
            if value.secret {
                return None;
            }
            value.to_text().map(|text| text.to_string())
        };
        let given = |name: &str| {
            let fields = body.fields();
            fields.is_some_and(|fields| fields.fields.contains_key(name))
        };
        let namespace = match (given("namespace"), body.fields().is_some()) {
            (false, true) => Some("default".to_owned()),
            _ => text("namespace"),
        };
        self.configuration.releases.push(Release {
            address: one.address,
            root: shown_folder(&self.instance.root.folder),
            place: one.place,
            name: text("name"),
            namespace,
            chart: text("chart"),
        });
    }
}

/// One instance of a resource.
struct One<'r> {
    kind: &'r str,
    address: String,
    place: Place,
    doubt: Option<Arc<str>>,
}
