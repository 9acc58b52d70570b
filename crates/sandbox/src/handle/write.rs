//! What every write does between the object that a client wants and the one that is stored.
//!
//! Source: the API server's generic registry (`BeforeCreate`, `BeforeUpdate`): what it takes over
//! from the live object, what it fills in, in which order it refuses.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Map, Value, json};
use underpin_fieldset::{FieldPath, FieldSet, managers};
use underpin_model::GroupKind;

use super::{options::WriteOptions, render::Form, route::Target};
use crate::{
    Cause, Failure, Kind, Reply, Request, State, access,
    admission::{self, Operation},
    lifecycle, object,
};

/// Longest name that a random suffix still fits behind.
const GENERATED_BASE_LIMIT: usize = 58;
/// Length of the random suffix.
const GENERATED_LENGTH: usize = 5;
/// What the suffix is made of: nothing that could form a word.
const GENERATED_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// How often a generated name that is taken is generated anew.
const GENERATED_LIMIT: usize = 8;
/// What is wrong with a write that builds on an older state.
const MODIFIED: &str = "the object has been modified; please apply your changes to the latest \
                        version and try again";

/// One write request.
pub(super) struct Write<'r> {
    pub(super) request: &'r Request,
    pub(super) target: &'r Target,
    pub(super) options: WriteOptions,
    pub(super) form: Form,
    pub(super) warnings: Vec<String>,
}

/// Who has seen to `managedFields`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fields {
    /// Nobody: what the write changes is to be the manager's.
    Untracked,
    /// An apply.
    Applied,
}

impl Write<'_> {
    pub(super) fn kind(&self) -> &Arc<Kind> {
        &self.target.kind
    }

    /// The answer with an object in the form asked for, warnings included.
    pub(super) fn reply(
        self,
        state: &State,
        code: u16,
        object: Arc<Value>,
    ) -> Result<Reply, Failure> {
        let reply = self.form.object(state, self.kind(), code, object)?;
        Ok(self.warned(reply))
    }

    /// Adds the warnings to an answer.
    pub(super) fn warned(&self, mut reply: Reply) -> Reply {
        for warning in &self.warnings {
            let text = warning.replace('\\', "\\\\").replace('"', "\\\"");
            reply.headers.push(("warning", format!("299 - \"{text}\"")));
        }
        reply
    }

    /// Takes an object of a request apart and drops what its kind does not know.
    pub(super) fn decode(&mut self, value: &Value) -> Result<Value, Failure> {
        let (value, warnings) =
            admission::decode(&self.target.kind, value, self.options.validation)?;
        self.warnings.extend(warnings);
        Ok(value)
    }

    /// The time as `managedFields` has it.
    pub(super) fn now(state: &State) -> String {
        object::seconds(state.now)
    }

    /// What this endpoint takes back whoever sets it, and nobody comes to own.
    pub(super) fn reset(&self) -> FieldSet {
        let field = match self.target.subresource.as_str() {
            "" if self.kind().has_status => "status",
            "finalize" => "status",
            "status" => "spec",
            _ => return FieldSet::new(),
        };
        let mut set = FieldSet::new();
        set.insert(&FieldPath::of_fields([field]));
        set
    }

    /// Stores a new object.
    pub(super) fn create(
        &mut self,
        state: &mut State,
        mut new: Value,
        fields: Fields,
    ) -> Result<Arc<Value>, Failure> {
        let kind = self.kind().clone();
        refuse_ending(state, &kind)?;
        ensure_metadata(&mut new);
        self.merge_owner_references(&mut new);
        if fields == Fields::Untracked {
            // The manager is to own the defaults, too.
            admission::set_defaults(&kind, &mut new);
            new = self.track(state, None, new)?;
        }
        if kind.namespaced {
            let name = object::name(&new);
            lifecycle::admit_into_namespace(state, &kind, &self.target.namespace, name)?;
        }
        self.admit(state, access::Phase::Mutating, &new, None)?;
        self.set_namespace(&mut new)?;
        admission::admit(state, &kind, Operation::Create, &new)?;
        let metadata = object::child_of(&mut new, "metadata");
        for field in [
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
        ] {
            metadata.remove(field);
        }
        let uid = state.new_uid();
        let metadata = object::child_of(&mut new, "metadata");
        metadata.insert("uid".to_owned(), uid.into());
        metadata.insert("creationTimestamp".to_owned(), Self::now(state).into());
        generate_name(state, &kind, &self.target.namespace, &mut new);
        // After uid and name: a Job selects its pods by them.
        admission::prepare(state, &kind, Operation::Create, None, &mut new, "");
        let causes = admission::validate(state, &kind, Operation::Create, None, &new, "");
        if !causes.is_empty() {
            return Err(Failure::invalid(&kind, object::name(&new), &causes));
        }
        self.confirm_no_escalation(state, &new, None)?;
        self.admit(state, access::Phase::Validating, &new, None)?;
        let version = object::resource_version(&new);
        if self.request.method == http::Method::POST && !matches!(version, "" | "0") {
            return Err(Failure::unexpected(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        if fields == Fields::Applied {
            given_version(&new)?;
        }
        if let Some(taken) = state.get(&kind.kind, &self.target.namespace, object::name(&new)) {
            let mut failure = Failure::already_exists(&kind, object::name(&new));
            if object::is_deleting(taken) {
                failure.message = format!("object is being deleted: {}", failure.message);
            }
            return Err(failure);
        }
        let version = object::resource_version(&new).to_owned();
        Ok(self.stored(state.put(&kind, new), &version))
    }

    /// Replaces a live object, unless nothing would change.
    pub(super) fn update(
        &mut self,
        state: &mut State,
        old: &Arc<Value>,
        mut new: Value,
        fields: Fields,
    ) -> Result<Arc<Value>, Failure> {
        let kind = self.kind().clone();
        let name = object::name(old).to_owned();
        ensure_metadata(&mut new);
        let version = given_version(&new)?;
        self.merge_owner_references(&mut new);
        if fields == Fields::Untracked {
            // The manager is to own the defaults, too.
            admission::set_defaults(&kind, &mut new);
            new = self.track(state, Some(old), new)?;
        }
        self.admit(state, access::Phase::Mutating, &new, Some(old))?;
        check_version(&kind, &name, version, old)?;
        self.set_namespace(&mut new)?;
        admission::admit(state, &kind, Operation::Update, &new)?;
        keep_system_fields(old, &mut new);
        let subresource = self.target.subresource.as_str();
        admission::prepare(
            state,
            &kind,
            Operation::Update,
            Some(old),
            &mut new,
            subresource,
        );
        let causes = admission::validate(
            state,
            &kind,
            Operation::Update,
            Some(old),
            &new,
            subresource,
        );
        if !causes.is_empty() {
            return Err(Failure::invalid(&kind, &name, &causes));
        }
        self.confirm_no_escalation(state, &new, Some(old))?;
        self.admit(state, access::Phase::Validating, &new, Some(old))?;
        if lifecycle::waits_for_nothing(&kind, &new) && object::is_deleting(old) {
            // Its last finalizer goes, and with it the object: what is stored never loses it.
            state.erase(&kind, object::namespace(old), &name);
            return Ok(Arc::new(new));
        }
        if new == **old {
            return Ok(old.clone());
        }
        Ok(self.stored(state.put(&kind, new), object::resource_version(old)))
    }

    /// Records who owns which field.
    pub(super) fn track(
        &self,
        state: &State,
        old: Option<&Arc<Value>>,
        new: Value,
    ) -> Result<Value, Failure> {
        managers::update_resetting(
            old.map(Arc::as_ref),
            new,
            &self.options.manager,
            &self.target.subresource,
            &Self::now(state),
            &self.kind().schema,
            &self.reset(),
        )
        .map_err(|error| Failure::unexpected(error.to_string()))
    }

    /// Asks the webhooks of one phase.
    fn admit(
        &self,
        state: &State,
        phase: access::Phase,
        new: &Value,
        old: Option<&Arc<Value>>,
    ) -> Result<(), Failure> {
        let admission = access::Admission {
            kind: self.kind(),
            subresource: &self.target.subresource,
            operation: match old {
                Some(_) => access::Operation::Update,
                None => access::Operation::Create,
            },
            namespace: &self.target.namespace,
            object: Some(new),
            old: old.map(Arc::as_ref),
            dry_run: self.options.dry_run,
        };
        access::webhooks(state, phase, &admission)
    }

    /// Refuses roles that grant more than their author has.
    fn confirm_no_escalation(
        &self,
        state: &State,
        new: &Value,
        old: Option<&Arc<Value>>,
    ) -> Result<(), Failure> {
        let user = &self.request.user;
        let namespace = &self.target.namespace;
        let old = old.map(Arc::as_ref);
        access::confirm_no_escalation(state, user, self.kind(), namespace, old, new)
    }

    /// What is answered: of a dry run the version is the one before, or as the client gave it, for
    /// none was stored.
    fn stored(&self, stored: Arc<Value>, version: &str) -> Arc<Value> {
        if !self.options.dry_run {
            return stored;
        }
        let mut answer = stored.as_ref().clone();
        let metadata = object::child_of(&mut answer, "metadata");
        if version.is_empty() {
            metadata.remove("resourceVersion");
        } else {
            metadata.insert("resourceVersion".to_owned(), version.into());
        }
        Arc::new(answer)
    }

    /// Puts the object into the namespace of the path.
    fn set_namespace(&self, new: &mut Value) -> Result<(), Failure> {
        let metadata = object::child_of(new, "metadata");
        if !self.kind().namespaced {
            metadata.remove("namespace");
            return Ok(());
        }
        let given = metadata.get("namespace").and_then(Value::as_str);
        match given.unwrap_or_default() {
            "" => {
                metadata.insert("namespace".to_owned(), self.target.namespace.clone().into());
                Ok(())
            }
            given if given == self.target.namespace => Ok(()),
            _ => Err(Failure::bad_request(
                "the namespace of the provided object does not match the namespace sent on the \
                 request",
            )),
        }
    }

    /// Owner references that are there twice count once, with a warning.
    fn merge_owner_references(&mut self, new: &mut Value) {
        let pointer = "/metadata/ownerReferences";
        let Some(Value::Array(references)) = new.pointer_mut(pointer) else {
            return;
        };
        let mut known: Vec<Value> = Vec::with_capacity(references.len());
        let mut uids: BTreeSet<String> = BTreeSet::new();
        let mut twice = Vec::new();
        for reference in references.drain(..) {
            let uid = object::text(&reference, "/uid").to_owned();
            if !uids.insert(uid.clone()) && known.contains(&reference) {
                twice.push(uid);
            } else {
                known.push(reference);
            }
        }
        *references = known;
        if !twice.is_empty() {
            self.warnings.push(format!(
                ".metadata.ownerReferences contains duplicate entries; API server dedups owner \
                 references in 1.20+, and may reject such requests as early as 1.24; please fix \
                 your requests; duplicate UID(s) observed: {}",
                twice.join(", ")
            ));
        }
    }
}

/// Refuses an object that has another name or namespace than the path, or none.
pub(super) fn check_name(target: &Target, value: &Value) -> Result<(), Failure> {
    let name = object::name(value);
    if name.is_empty() {
        return Err(Failure::bad_request(format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            target.name
        )));
    }
    if name != target.name {
        return Err(Failure::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            target.name
        )));
    }
    let namespace = object::namespace(value);
    if !target.namespace.is_empty() && !namespace.is_empty() && namespace != target.namespace {
        return Err(Failure::bad_request(format!(
            "the namespace of the object ({namespace}) does not match the namespace on the \
             request ({})",
            target.namespace
        )));
    }
    Ok(())
}

/// Refuses new objects of a kind whose definition is being deleted.
fn refuse_ending(state: &State, kind: &Kind) -> Result<(), Failure> {
    if kind.definition.is_none() {
        return Ok(());
    }
    let definitions = GroupKind::new("apiextensions.k8s.io", "CustomResourceDefinition");
    let definition = state.get(&definitions, "", &kind.resource());
    if definition.is_some_and(|definition| object::is_deleting(definition)) {
        let why = "create not allowed while custom resource definition is terminating";
        let details = json!({"group": kind.kind.group, "kind": kind.plural});
        return Err(Failure {
            details: Some(Box::new(details)),
            ..Failure::new(405, "MethodNotAllowed", why)
        });
    }
    Ok(())
}

fn ensure_metadata(value: &mut Value) {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    object::child_of(value, "metadata");
}

/// The resourceVersion that the client builds on; `None` if it does not say.
fn given_version(new: &Value) -> Result<Option<u64>, Failure> {
    let text = object::resource_version(new);
    if matches!(text, "" | "0") {
        return Ok(None);
    }
    let version = text.parse().map_err(|_| {
        Failure::unexpected(format!(
            "strconv.ParseUint: parsing {text:?}: invalid syntax"
        ))
    })?;
    Ok(Some(version))
}

/// Refuses an update that builds on another state than the live one.
fn check_version(kind: &Kind, name: &str, given: Option<u64>, old: &Value) -> Result<(), Failure> {
    let Some(given) = given else {
        if kind.is_updated_unconditionally() {
            return Ok(());
        }
        let cause = Cause {
            reason: "FieldValueInvalid".to_owned(),
            message: "Invalid value: 0x0: must be specified for an update".to_owned(),
            field: "metadata.resourceVersion".to_owned(),
        };
        // The plural stands for the kind here, in the server's own confusion.
        let (group, plural) = (&kind.kind.group, &kind.plural);
        return Err(Failure::invalid_of(group, plural, name, &[cause]));
    };
    if given.to_string() == object::resource_version(old) {
        Ok(())
    } else {
        Err(Failure::conflict(kind, name, MODIFIED))
    }
}

/// What an update cannot change, whatever it says.
fn keep_system_fields(old: &Value, new: &mut Value) {
    let kept = |field: &str| old.get("metadata").and_then(|metadata| metadata.get(field));
    let metadata = object::child_of(new, "metadata");
    metadata.remove("selfLink");
    for field in ["generation", "creationTimestamp", "resourceVersion"] {
        match kept(field) {
            Some(value) => metadata.insert(field.to_owned(), value.clone()),
            None => metadata.remove(field),
        };
    }
    for field in ["uid", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        let is_given = metadata
            .get(field)
            .is_some_and(|value| !value.is_null() && value != "");
        if let (false, Some(value)) = (is_given, kept(field)) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
}

/// Gives an object without a name, but with `generateName`, a name that is free.
fn generate_name(state: &mut State, kind: &Kind, namespace: &str, new: &mut Value) {
    let base = object::text(new, "/metadata/generateName").to_owned();
    if base.is_empty() || !object::name(new).is_empty() {
        return;
    }
    let end = base
        .char_indices()
        .map(|(position, c)| position + c.len_utf8())
        .take_while(|end| *end <= GENERATED_BASE_LIMIT)
        .last();
    let base = &base[..end.unwrap_or_default()];
    let mut name = String::new();
    for _ in 0..GENERATED_LIMIT {
        base.clone_into(&mut name);
        name.extend(random_word(state).map(char::from));
        if state.get(&kind.kind, namespace, &name).is_none() {
            break;
        }
    }
    object::child_of(new, "metadata").insert("name".to_owned(), json!(name));
}

fn random_word(state: &mut State) -> [u8; GENERATED_LENGTH] {
    let count = GENERATED_ALPHABET.len() as u64;
    [(); GENERATED_LENGTH].map(|()| {
        let position = usize::try_from(state.random() % count).unwrap_or_default();
        GENERATED_ALPHABET[position]
    })
}
