//! Modules as they are called, and their values, each evaluated once.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    rc::{Rc, Weak},
    sync::Arc,
};

use camino::{Utf8Path, Utf8PathBuf};
use underpin_model::Place;

use super::{
    engine::{Engine, Outcome, Scope, within},
    expression::{not, pairs},
    failure::Failure,
    load::{Module, Part},
    paths,
    value::{Data, Value},
    variables::Given,
};
use crate::Diagnostic;

/// Deepest nesting of module calls.
const MAX_MODULE_DEPTH: usize = 32;
/// Most instances that one block may have.
const MAX_INSTANCES: usize = 10_000;

/// A folder that Terraform is run in.
pub(super) struct Root {
    pub(super) folder: Utf8PathBuf,
    /// Values from outside, by the variable's name.
    pub(super) given: BTreeMap<String, Given>,
    /// Where `terraform init` put modules, by the path of their calls.
    pub(super) installed: BTreeMap<String, Utf8PathBuf>,
}

/// A module as one call makes it.
pub(super) struct Instance<'a> {
    pub(super) module: &'a Module,
    /// `module.a["x"].`, or nothing for the root.
    pub(super) address: String,
    /// The names of the calls that lead here, joined by dots.
    key: String,
    pub(super) root: &'a Root,
    caller: Option<Caller<'a>>,
    depth: usize,
    nodes: RefCell<BTreeMap<NodeKey, Option<Value>>>,
    children: RefCell<BTreeMap<String, Children<'a>>>,
}

struct Caller<'a> {
    /// Weak, for the caller holds what it calls.
    instance: Weak<Instance<'a>>,
    call: &'a Part,
    repetition: Repetition,
}

/// The instances that a call makes; `Err` says why they are not known at all.
type Children<'a> = Result<Rc<Vec<(Repetition, Rc<Instance<'a>>)>>, Arc<str>>;

/// A value of a module that is evaluated once.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NodeKey {
    Variable(String),
    Local(String),
    Output(String),
    Resource(String, String),
    Data(String, String),
    Call(String),
}

impl std::fmt::Display for NodeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "var.{name}"),
            Self::Local(name) => write!(f, "local.{name}"),
            Self::Output(name) => write!(f, "output.{name}"),
            Self::Resource(kind, name) => write!(f, "{kind}.{name}"),
            Self::Data(kind, name) => write!(f, "data.{kind}.{name}"),
            Self::Call(name) => write!(f, "module.{name}"),
        }
    }
}

/// Which of the instances of a block one is.
#[derive(Clone)]
pub(super) enum Repetition {
    /// The block has no `count` and no `for_each`.
    Single,
    Count(usize),
    Each {
        key: Value,
        value: Value,
    },
    /// How many there are is unknown, and why; this stands for all of them.
    UnknownCount(Arc<str>),
    UnknownEach(Arc<str>),
}

impl Repetition {
    /// The name that it gives meaning to.
    pub(super) fn name(&self) -> Option<(&'static str, Value)> {
        let each = |key: Value, value: Value| {
            let fields = [(Arc::from("key"), key), (Arc::from("value"), value)];
            Value::object(fields.into()).ok().map(|each| ("each", each))
        };
        let count = |index: Value| {
            let fields = [(Arc::from("index"), index)];
            Value::object(fields.into())
                .ok()
                .map(|count| ("count", count))
        };
        match self {
            Self::Single => None,
            Self::Count(index) => count(Value::count(*index)),
            Self::Each { key, value } => each(key.clone(), value.clone()),
            Self::UnknownCount(reason) => count(Value::unknown(Arc::clone(reason))),
            Self::UnknownEach(reason) => each(
                Value::unknown(Arc::clone(reason)),
                Value::unknown(Arc::clone(reason)),
            ),
        }
    }

    /// What follows the name in an address.
    pub(super) fn suffix(&self) -> String {
        match self {
            Self::Single => String::new(),
            Self::Count(index) => format!("[{index}]"),
            Self::Each { key, .. } => format!("[{:?}]", &*key.to_text().unwrap_or_default()),
            Self::UnknownCount(_) | Self::UnknownEach(_) => "[?]".to_owned(),
        }
    }

    /// Why it is unknown how many there are.
    pub(super) fn reason(&self) -> Option<&Arc<str>> {
        match self {
            Self::UnknownCount(reason) | Self::UnknownEach(reason) => Some(reason),
            _ => None,
        }
    }
}

impl<'a> Instance<'a> {
    pub(super) fn root(module: &'a Module, root: &'a Root) -> Rc<Self> {
        Rc::new(Self {
            module,
            address: String::new(),
            key: String::new(),
            root,
            caller: None,
            depth: 0,
            nodes: RefCell::default(),
            children: RefCell::default(),
        })
    }

    /// The module's folder, relative to the one that Terraform is run in.
    pub(super) fn path_of_module(&self) -> String {
        paths::relative(&self.root.folder, &self.module.folder)
    }

    /// Whether it is unknown that this instance is there, and why.
    pub(super) fn doubt(&self) -> Option<Arc<str>> {
        let caller = self.caller.as_ref()?;
        caller
            .repetition
            .reason()
            .cloned()
            .or_else(|| caller.instance.upgrade()?.doubt())
    }
}

impl<'a> Engine<'a> {
    /// The value of a part of a module.
    pub(super) fn node(&self, instance: &Rc<Instance<'a>>, key: NodeKey) -> Outcome {
        match instance.nodes.borrow().get(&key) {
            Some(Some(value)) => return Ok(value.clone()),
            Some(None) => {
                let message = format!("`{}{key}` depends on itself", instance.address);
                return Err(Failure::new(message).with_help("break the circle of references"));
            }
            None => {}
        }
        instance.nodes.borrow_mut().insert(key.clone(), None);
        let outcome = self.deeper(|| self.evaluate_node(instance, &key));
        let value = match outcome {
            Ok(value) => value,
            Err(failure) => {
                instance.nodes.borrow_mut().remove(&key);
                return Err(failure);
            }
        };
        let mut nodes = instance.nodes.borrow_mut();
        nodes.insert(key, Some(value.clone()));
        Ok(value)
    }

    fn evaluate_node(&self, instance: &Rc<Instance<'a>>, key: &NodeKey) -> Outcome {
        match key {
            NodeKey::Variable(name) => self.variable(instance, name),
            NodeKey::Local(name) => {
                let Some(local) = instance.module.locals.get(name) else {
                    return undeclared(instance, key, instance.module.locals.keys());
                };
                let scope = Scope::of(instance, local.file);
                self.settle(
                    self.evaluate(&local.expression, scope),
                    local.file,
                    local.offset,
                )
            }
            NodeKey::Output(name) => {
                let Some(output) = instance.module.outputs.get(name) else {
                    return undeclared(instance, key, instance.module.outputs.keys());
                };
                let Some(attribute) = output.body.get_attribute("value") else {
                    return Err(Failure::new(format!("output `{name}` has no `value`")));
                };
                let scope = Scope::of(instance, output.file);
                let secret = literal_bool(output, "sensitive");
                let value = self.evaluate(&attribute.value, scope);
                let value = self.settle(value, output.file, output.offset)?;
                Ok(value.secret_if(secret))
            }
            NodeKey::Resource(kind, name) | NodeKey::Data(kind, name) => {
                let is_data = matches!(key, NodeKey::Data(..));
                let all = if is_data {
                    &instance.module.data
                } else {
                    &instance.module.resources
                };
                let Some(part) = all.get(&(kind.clone(), name.clone())) else {
                    let names = all.keys().filter(|(other, _)| other == kind);
                    return undeclared(instance, key, names.map(|(_, name)| name));
                };
                self.resource_value(instance, part, kind, is_data)
            }
            NodeKey::Call(name) => self.call_value(instance, name),
        }
    }

    /// A value, or the report of why there is none.
    pub(super) fn settle(
        &self,
        outcome: Outcome,
        file: super::text::FileId,
        offset: usize,
    ) -> Outcome {
        match outcome {
            Err(failure) if !failure.details().fatal => {
                let place = self.place(file, offset);
                Ok(Value::unknown(self.fail(&failure, None, &place)))
            }
            other => other,
        }
    }

    pub(super) fn place(&self, file: super::text::FileId, offset: usize) -> Place {
        self.texts.get(file).map_or_else(
            || Place {
                file: "".into(),
                line: 1,
                column: 1,
            },
            |text| text.place(offset),
        )
    }

    /// A resource or data source as other expressions see it.
    fn resource_value(
        &self,
        instance: &Rc<Instance<'a>>,
        part: &'a Part,
        kind: &str,
        is_data: bool,
    ) -> Outcome {
        let scope = Scope::of(instance, part.file);
        let mut fields = BTreeMap::new();
        let mut items = Vec::new();
        for repetition in self.expand(scope, part)? {
            let value = within(scope, &repetition, |scope| {
                self.attributes_of(part, kind, is_data, scope)
            })?;
            match repetition {
                Repetition::Single => return Ok(value),
                Repetition::Count(_) => items.push(value),
                Repetition::Each { key, .. } => {
                    fields.insert(key.to_text().unwrap_or_default(), value);
                }
                Repetition::UnknownCount(reason) | Repetition::UnknownEach(reason) => {
                    return Ok(Value::unknown(reason));
                }
            }
        }
        if part.body.has_attribute("for_each") {
            Value::object(fields)
        } else {
            Value::list(items)
        }
    }

    /// The instances of a block by its `count` and `for_each`.
    pub(super) fn expand(
        &self,
        scope: Scope<'_, 'a>,
        part: &Part,
    ) -> Result<Vec<Repetition>, Failure> {
        if let Some(count) = part.body.get_attribute("count") {
            let site = scope.site_of(&count.value);
            let value = self.evaluate(&count.value, scope)?;
            if let Some(reason) = value.reason() {
                return Ok(vec![Repetition::UnknownCount(reason)]);
            }
            let number = value.to_number().and_then(super::number::Number::as_index);
            return match number {
                Some(number) if number <= MAX_INSTANCES => {
                    Ok((0..number).map(Repetition::Count).collect())
                }
                Some(_) => Err(too_many().at(site)),
                None => Err(not(&value, "`count`", "a whole number").at(site)),
            };
        }
        let Some(each) = part.body.get_attribute("for_each") else {
            return Ok(vec![Repetition::Single]);
        };
        let site = scope.site_of(&each.value);
        let value = self.evaluate(&each.value, scope)?;
        if let Data::List(_) = value.data {
            return Err(not(&value, "`for_each`", "a map or a set of strings")
                .with_help("put `toset(…)` around it")
                .at(site));
        }
        let pairs = match pairs(&value).map_err(|failure| failure.at(site))? {
            Ok(pairs) => pairs,
            Err(reason) => return Ok(vec![Repetition::UnknownEach(reason)]),
        };
        if pairs.len() > MAX_INSTANCES {
            return Err(too_many().at(site));
        }
        if value.secret || pairs.iter().any(|(key, _)| key.secret) {
            let message = "`for_each` is sensitive, and would show in addresses";
            return Err(Failure::new(message)
                .with_help("loop over its keys with `nonsensitive`")
                .at(site));
        }
        if let Some((key, _)) = pairs.iter().find(|(key, _)| key.to_text().is_none()) {
            return Err(not(key, "a key of `for_each`", "a string").at(site));
        }
        let each = |(key, value)| Repetition::Each { key, value };
        Ok(pairs.into_iter().map(each).collect())
    }

    /// The instance that a call without `count` and `for_each` makes.
    pub(super) fn single_child(
        &self,
        instance: &Rc<Instance<'a>>,
        call: &str,
    ) -> Result<Option<Rc<Instance<'a>>>, Failure> {
        let part = instance.module.calls.get(call);
        let single = part.is_some_and(|part| {
            !part.body.has_attribute("count") && !part.body.has_attribute("for_each")
        });
        if !single {
            return Ok(None);
        }
        let children = self.children(instance, call)?.ok();
        let first = children.and_then(|children| children.first().cloned());
        Ok(first.map(|(_, child)| child))
    }

    /// The instances that a call makes.
    pub(super) fn children(
        &self,
        instance: &Rc<Instance<'a>>,
        call: &str,
    ) -> Result<Children<'a>, Failure> {
        if let Some(children) = instance.children.borrow().get(call) {
            return Ok(children.clone());
        }
        let Some(part) = instance.module.calls.get(call) else {
            return Ok(Err(format!("there is no module call `{call}`").into()));
        };
        // Whoever asks while they are being made is what their number depends on.
        let circle = format!("the instances of `module.{call}` depend on themselves");
        let keep = |children: Children<'a>| {
            let mut all = instance.children.borrow_mut();
            all.insert(call.to_owned(), children);
        };
        keep(Err(circle.into()));
        let made = match self.make_children(instance, call, part) {
            Ok(made) => made,
            Err(failure) if failure.details().fatal => return Err(failure),
            Err(failure) => {
                let place = self.place(part.file, part.offset);
                Err(self.fail(&failure, None, &place).into())
            }
        };
        keep(made.clone());
        Ok(made)
    }

    fn make_children(
        &self,
        instance: &Rc<Instance<'a>>,
        call: &str,
        part: &'a Part,
    ) -> Result<Children<'a>, Failure> {
        let key = join(&instance.key, call);
        let module = match self.called(instance, part, &key) {
            Ok(module) => module,
            Err(reason) => return Ok(Err(reason)),
        };
        if instance.depth >= MAX_MODULE_DEPTH {
            let message = format!("modules call each other more than {MAX_MODULE_DEPTH} deep");
            return Err(Failure::new(message));
        }
        let scope = Scope::of(instance, part.file);
        let repetitions = self.expand(scope, part)?;
        let children = repetitions.into_iter().map(|repetition| {
            let suffix = repetition.suffix();
            let child = Instance {
                module,
                address: format!("{}module.{call}{suffix}.", instance.address),
                key: key.clone(),
                root: instance.root,
                caller: Some(Caller {
                    instance: Rc::downgrade(instance),
                    call: part,
                    repetition: repetition.clone(),
                }),
                depth: instance.depth + 1,
                nodes: RefCell::default(),
                children: RefCell::default(),
            };
            (repetition, Rc::new(child))
        });
        Ok(Ok(Rc::new(children.collect())))
    }

    /// The module that a call names; or why it is unknown.
    fn called(
        &self,
        instance: &Rc<Instance<'a>>,
        part: &Part,
        key: &str,
    ) -> Result<&'a Module, Arc<str>> {
        let Some(source) = part.literal("source") else {
            return Err("the module's `source` is not a plain text".into());
        };
        let folder = if is_local(source) {
            paths::join(&instance.module.folder, Utf8Path::new(source))
        } else {
            match instance.root.installed.get(key) {
                Some(folder) => folder.clone(),
                None => {
                    return Err(format!(
                        "module `{source}` comes from elsewhere and is not installed below the folder"
                    )
                    .into());
                }
            }
        };
        match self.modules.get(&folder) {
            Some(module) => Ok(module),
            None => Err(format!(
                "no Terraform files in `{folder}`: it is empty, missing, or outside the folder that is read"
            )
            .into()),
        }
    }

    /// `module.<name>` as a whole.
    fn call_value(&self, instance: &Rc<Instance<'a>>, name: &str) -> Outcome {
        let Some(part) = instance.module.calls.get(name) else {
            let key = NodeKey::Call(name.to_owned());
            return undeclared(instance, &key, instance.module.calls.keys());
        };
        let children = match self.children(instance, name)? {
            Ok(children) => children,
            Err(reason) => return Ok(Value::unknown(reason)),
        };
        let mut fields = BTreeMap::new();
        let mut items = Vec::new();
        for (repetition, child) in children.iter() {
            let outputs = child.module.outputs.keys().map(|output| {
                let value = self.node(child, NodeKey::Output(output.clone()))?;
                Ok((Arc::from(output.as_str()), value))
            });
            let value = Value::object(outputs.collect::<Result<_, Failure>>()?)?;
            match repetition {
                Repetition::Single => return Ok(value),
                Repetition::Count(_) => items.push(value),
                Repetition::Each { key, .. } => {
                    fields.insert(key.to_text().unwrap_or_default(), value);
                }
                Repetition::UnknownCount(reason) | Repetition::UnknownEach(reason) => {
                    return Ok(Value::unknown(Arc::clone(reason)));
                }
            }
        }
        if part.body.has_attribute("for_each") {
            Value::object(fields)
        } else {
            Value::list(items)
        }
    }

    /// The argument of the call that made the instance, if it has one of that name.
    pub(super) fn argument(&self, instance: &Rc<Instance<'a>>, name: &str) -> Option<Outcome> {
        let caller = instance.caller.as_ref()?;
        let attribute = caller.call.body.get_attribute(name)?;
        let parent = caller.instance.upgrade()?;
        let scope = Scope::of(&parent, caller.call.file);
        let outcome = within(scope, &caller.repetition, |scope| {
            self.evaluate(&attribute.value, scope)
        });
        Some(self.settle(outcome, caller.call.file, caller.call.offset))
    }

    /// Whether a call made the instance; the root's variables come from outside.
    pub(super) fn report_missing_argument(&self, instance: &Rc<Instance<'a>>, name: &str) {
        let Some(caller) = &instance.caller else {
            return;
        };
        let place = self.place(caller.call.file, caller.call.offset);
        let message = format!("the module needs a value for `{name}`");
        let help = "give it in the `module` block, or give the variable a default";
        self.report(Diagnostic::new(place, message).with_help(help));
    }
}

pub(super) fn is_local(source: &str) -> bool {
    source == "." || source == ".." || source.starts_with("./") || source.starts_with("../")
}

fn join(key: &str, call: &str) -> String {
    if key.is_empty() {
        call.to_owned()
    } else {
        format!("{key}.{call}")
    }
}

fn too_many() -> Failure {
    Failure::new(format!("the block has more than {MAX_INSTANCES} instances"))
}

pub(super) fn literal_bool(part: &Part, name: &str) -> bool {
    part.body
        .get_attribute(name)
        .is_some_and(|attribute| attribute.value.as_bool() == Some(true))
}

/// A reference to what is not declared: unknown where a file of the module could not be read.
fn undeclared<'n>(
    instance: &Instance<'_>,
    key: &NodeKey,
    names: impl Iterator<Item = &'n String>,
) -> Outcome {
    if instance.module.unread {
        return Ok(Value::unknown(format!(
            "`{key}` may be declared in a file that could not be read"
        )));
    }
    let failure = Failure::new(format!("`{key}` is not declared"));
    let text = key.to_string();
    let name = text.rsplit('.').next().unwrap_or_default();
    Err(
        match underpin_model::nearest(name, names.map(String::as_str)) {
            Some(near) => failure.with_help(format!("did you mean `{near}`?")),
            None => failure.with_help("declare it in this module"),
        },
    )
}
