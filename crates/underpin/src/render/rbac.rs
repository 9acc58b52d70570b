//! Roles and their bindings: manifests with comments for people and kubectl, or one List.

use serde_json::{Value, json};
use underpin_deploy::rights::{Extent, Resource, Roles, Rule, Task, roles};

use super::documents::{RbacDocument, text};
use crate::Exit;

/// Longest line that a list is written on.
const WIDTH: usize = 96;
/// The group of roles.
const GROUP: &str = "rbac.authorization.k8s.io";

/// What roles are printed for.
pub(crate) struct Asked {
    pub(crate) task: Task,
    pub(crate) claims_namespace: String,
    pub(crate) roles: Roles,
    /// Whether the rights hold in every namespace.
    pub(crate) everywhere: bool,
    /// The cluster that custom kinds and the record were taken from.
    pub(crate) against: Option<String>,
    /// Absent without a stack file.
    pub(crate) environment: Option<Environment>,
    /// Whom to bind; a group of the roles' name where nobody is named.
    pub(crate) subjects: Vec<Subject>,
}

/// The environment of a stack.
pub(crate) struct Environment {
    /// `stack/environment`.
    pub(crate) display: String,
    /// The name of its claim.
    pub(crate) claim: String,
    /// Custom kinds whose plural is a guess.
    pub(crate) guessed: Vec<String>,
    /// Whether it declares roles or bindings.
    pub(crate) grants: bool,
}

/// Who is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    User(String),
    Group(String),
    ServiceAccount { namespace: String, name: String },
}

/// One manifest; rules keep what they are for.
enum Manifest<'a> {
    Namespace(&'a str),
    Role(Option<&'a str>, &'a [Rule]),
    Binding(Option<&'a str>),
}

impl Asked {
    /// The name of every role and binding. Of two environments neither overwrites the other's.
    fn name(&self) -> String {
        let task = self.task.name();
        match &self.environment {
            Some(environment) => format!("underpin-{task}-{}", environment.claim),
            None => format!("underpin-{task}"),
        }
    }

    fn subjects(&self) -> Vec<Subject> {
        match self.subjects.as_slice() {
            [] => vec![Subject::Group(self.name())],
            named => named.to_vec(),
        }
    }

    fn manifests(&self) -> Vec<Manifest<'_>> {
        let mut manifests = vec![Manifest::Namespace(&self.claims_namespace)];
        let namespaces = self.roles.namespaces.keys();
        // What is to be torn down is there.
        if self.task != Task::Down {
            let others = namespaces.filter(|name| **name != self.claims_namespace);
            manifests.extend(others.map(|name| Manifest::Namespace(name)));
        }
        manifests.push(Manifest::Role(None, &self.roles.cluster));
        manifests.push(Manifest::Binding(None));
        let claims = (&self.claims_namespace, &self.roles.claims);
        for (namespace, rules) in [claims].into_iter().chain(&self.roles.namespaces) {
            manifests.push(Manifest::Role(Some(namespace), rules));
            manifests.push(Manifest::Binding(Some(namespace)));
        }
        manifests
    }
}

/// Manifests as YAML, with comments that say what each right is for.
pub(crate) fn yaml(asked: &Asked) -> String {
    let mut text = comment(&heading(asked));
    text.push_str("#   underpin rbac … | kubectl apply -f -\n");
    text.push_str(&comment(&bound(asked)));
    for note in notes(asked) {
        text.push_str("#\n");
        text.push_str(&comment(&note));
    }
    let documents = asked.manifests().into_iter();
    let documents: Vec<String> = documents.map(|one| document(asked, &one)).collect();
    text.push_str(&documents.join("---\n"));
    text.push_str(&still_to_add(asked));
    text
}

/// The same as one List, which kubectl takes too.
pub(crate) fn json(asked: &Asked) -> String {
    let items: Vec<Value> = asked
        .manifests()
        .iter()
        .map(|manifest| value(asked, manifest))
        .collect();
    let environment = asked.environment.as_ref();
    let document = RbacDocument {
        r#for: asked.task.name(),
        environment: environment.map(|environment| environment.display.as_str()),
        notes: notes(asked),
        api_version: "v1",
        kind: "List",
        items,
    };
    text("rbac", Exit::Done, document)
}

fn heading(asked: &Asked) -> String {
    let task = asked.task.name();
    let whose = match &asked.environment {
        Some(environment) => format!(" of {}", environment.display),
        None => String::new(),
    };
    let what = match asked.task {
        Task::Review => {
            "Rights to look and no more: `plan` without dry runs, `status`, `why`, `history` and \
             `diff`"
                .to_owned()
        }
        Task::Images => {
            "The rights that `underpin images plan`, `images reap` and `images golive` take of a cluster, \
             and no more"
                .to_owned()
        }
        _ => format!("The rights that `underpin {task}`{whose} takes, and no more"),
    };
    format!("{what}. An administrator applies them:")
}

fn bound(asked: &Asked) -> String {
    let bound: Vec<String> = asked.subjects().iter().map(Subject::named).collect();
    let others = if asked.subjects.is_empty() {
        ", in which nobody is until somebody is put there; --user, --group and --serviceaccount bind \
         others"
    } else {
        ""
    };
    format!("Bound is {}{others}.", bound.join(", "))
}

/// Whether a task needs no more where a stack is known.
fn is_of_no_stack(task: Task) -> bool {
    matches!(task, Task::Review | Task::Images)
}

/// What the reader must know, one paragraph each.
fn notes(asked: &Asked) -> Vec<String> {
    let mut notes = Vec::new();
    let own: Vec<&str> = asked.roles.namespaces.keys().map(String::as_str).collect();
    if asked.environment.is_none() && !is_of_no_stack(asked.task) {
        notes.push(
            "There is no stack file here, so neither its namespaces nor its kinds are in these \
             roles: run this in the stack's folder, or add what stands at the end."
                .to_owned(),
        );
    }
    match asked.task {
        Task::Plan => notes.push(
            "Kubernetes authorises a dry run as the write that it stands for: who is bound could \
             write. Who is to look only gets --for review; `plan` says then what it did not ask."
                .to_owned(),
        ),
        Task::Review => notes.push(
            "There is no right to Secrets in here: who may list their names may read their \
             contents. `plan` and `why` say what is unknown for it."
                .to_owned(),
        ),
        Task::Images => notes.push(
            "Who may list Secrets may read them. There is no way around it: Helm keeps the revisions to roll \
             back to in Secrets, releases take values from them, and what may not be listed stops the run, \
             for something in it may need an image. Keep the account for this alone."
                .to_owned(),
        ),
        Task::Up | Task::Down => {}
    }
    match asked.task {
        Task::Plan | Task::Up if !own.is_empty() => notes.push(format!(
            "Roles live in their namespaces, so these are made here where they are missing: {}. A \
             namespace that was made so is kept by `down`; with --cluster-wide the environment makes \
             and deletes its own.",
            own.join(", ")
        )),
        Task::Down if !own.is_empty() => notes.push(format!(
            "Kept are the namespaces themselves, since these roles live in them: {}. Deleting them \
             takes --cluster-wide.",
            own.join(", ")
        )),
        _ => {}
    }
    if let Some(against) = &asked.against {
        notes.push(format!(
            "Custom kinds, and what is recorded of the environment, are as {against} has them now."
        ));
    } else if !asked.everywhere && asked.task != Task::Images {
        notes.push(
            "Custom kinds that the stack does not declare are not in here. Where they cannot be \
             listed, Underpin says so and does nothing that depends on them; --against \
             CONTEXT takes them from a cluster, so that it sees them."
                .to_owned(),
        );
    }
    if let Some(environment) = &asked.environment {
        if asked.against.is_none() && matches!(asked.task, Task::Up | Task::Down) {
            notes.push(
                "What is recorded and no longer declared is to be deleted. Its kinds, and the \
                 names of what lives in no namespace, are in here only with --against CONTEXT, \
                 which takes them from the record."
                    .to_owned(),
            );
        }
        if !environment.guessed.is_empty() {
            notes.push(format!(
                "No definition of these kinds is declared, so their names are a guess; check them \
                 with `kubectl api-resources`: {}.",
                environment.guessed.join(", ")
            ));
        }
        if environment.grants && matches!(asked.task, Task::Plan | Task::Up) {
            notes.push(
                "The stack declares roles or bindings. Kubernetes lets nobody grant what they do \
                 not hold: give those rights to whom is bound here too, or the verbs `escalate` and \
                 `bind`, which amount to every right."
                    .to_owned(),
            );
        }
    }
    notes
}

/// What stands in for a namespace and for kinds that are not known.
const NAMESPACE: &str = "NAMESPACE";

/// Without a stack file: the role of a namespace, to be filled in.
fn still_to_add(asked: &Asked) -> String {
    if asked.environment.is_some() || is_of_no_stack(asked.task) {
        return String::new();
    }
    let kinds = Resource {
        group: "API-GROUP".to_owned(),
        plural: "KINDS".to_owned(),
    };
    let extent = Extent {
        namespaces: [(NAMESPACE.to_owned(), [kinds].into())].into(),
        everywhere: asked.everywhere,
        ..Extent::default()
    };
    let wanted = roles(asked.task, &extent);
    let added = |rule: &&Rule| !asked.roles.cluster.contains(rule);
    let cluster: Vec<Rule> = wanted.cluster.iter().filter(added).cloned().collect();
    let mut missing = String::new();
    if !cluster.is_empty() {
        missing.push_str(&format!("To be added to ClusterRole {}:\n\n", asked.name()));
        missing.push_str(&rules(&cluster));
    }
    for role in wanted.namespaces.values() {
        missing.push_str("\nTo be added for each namespace of the environment:\n\n");
        let manifests = [
            Manifest::Role(Some(NAMESPACE), role),
            Manifest::Binding(Some(NAMESPACE)),
        ];
        let documents = manifests.iter().map(|one| document(asked, one));
        missing.push_str(&documents.collect::<Vec<_>>().join("---\n"));
    }
    let commented = missing.lines().map(|line| match line {
        "" => "#\n".to_owned(),
        line => format!("# {line}\n"),
    });
    format!("\n{}", commented.collect::<String>())
}

/// A paragraph as comment lines.
fn comment(paragraph: &str) -> String {
    let mut lines = vec![String::from("#")];
    for word in paragraph.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("# {word}")),
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn document(asked: &Asked, manifest: &Manifest<'_>) -> String {
    let name = asked.name();
    match manifest {
        Manifest::Namespace(name) => {
            format!(
                "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {}\n",
                scalar(name)
            )
        }
        Manifest::Role(namespace, of) => {
            let kind = role_kind(*namespace);
            format!("{}rules:\n{}", head(kind, &name, *namespace), rules(of))
        }
        Manifest::Binding(namespace) => {
            let kind = format!("{}Binding", role_kind(*namespace));
            let subjects: String = asked.subjects().iter().map(Subject::yaml).collect();
            format!(
                "{}roleRef:\n  apiGroup: {GROUP}\n  kind: {}\n  name: {}\nsubjects:\n{subjects}",
                head(&kind, &name, *namespace),
                role_kind(*namespace),
                scalar(&name),
            )
        }
    }
}

fn role_kind(namespace: Option<&str>) -> &'static str {
    if namespace.is_some() {
        "Role"
    } else {
        "ClusterRole"
    }
}

fn head(kind: &str, name: &str, namespace: Option<&str>) -> String {
    let name = scalar(name);
    let namespace = namespace.map_or_else(String::new, |namespace| {
        format!("  namespace: {}\n", scalar(namespace))
    });
    format!("apiVersion: {GROUP}/v1\nkind: {kind}\nmetadata:\n  name: {name}\n{namespace}")
}

fn rules(rules: &[Rule]) -> String {
    let mut text = String::new();
    let mut said = "";
    for rule in rules {
        if rule.why != said {
            text.push_str(&format!("  # {}\n", rule.why));
            said = rule.why;
        }
        let fields = [
            ("apiGroups", &rule.groups),
            ("resources", &rule.resources),
            ("resourceNames", &rule.names),
            ("nonResourceURLs", &rule.paths),
            ("verbs", &rule.verbs),
        ];
        let given = fields.into_iter().filter(|(_, values)| !values.is_empty());
        for (number, (field, values)) in given.enumerate() {
            let dash = if number == 0 { "-" } else { " " };
            text.push_str(&list(dash, field, values));
        }
    }
    text
}

/// A list on one line if it fits, else one value a line.
fn list(dash: &str, field: &str, values: &[String]) -> String {
    let scalars: Vec<String> = values.iter().map(|value| scalar(value)).collect();
    let line = format!("  {dash} {field}: [{}]\n", scalars.join(", "));
    if line.len() <= WIDTH {
        return line;
    }
    let lines: String = scalars
        .iter()
        .map(|scalar| format!("      - {scalar}\n"))
        .collect();
    format!("  {dash} {field}:\n{lines}")
}

/// A text as YAML; in quotes where it could be taken for something else.
fn scalar(text: &str) -> String {
    const OTHERS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "./_-*".contains(c);
    let is_word = OTHERS.contains(&text.to_ascii_lowercase().as_str());
    if begins && text.chars().all(plain) && !is_word {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

fn value(asked: &Asked, manifest: &Manifest<'_>) -> Value {
    let role = asked.name();
    let metadata = |namespace: Option<&str>| match namespace {
        Some(namespace) => json!({"name": role, "namespace": namespace}),
        None => json!({"name": role}),
    };
    match manifest {
        Manifest::Namespace(name) => {
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        }
        Manifest::Role(namespace, rules) => json!({
            "apiVersion": format!("{GROUP}/v1"),
            "kind": role_kind(*namespace),
            "metadata": metadata(*namespace),
            "rules": rules.iter().map(rule).collect::<Vec<_>>(),
        }),
        Manifest::Binding(namespace) => json!({
            "apiVersion": format!("{GROUP}/v1"),
            "kind": format!("{}Binding", role_kind(*namespace)),
            "metadata": metadata(*namespace),
            "roleRef": {"apiGroup": GROUP, "kind": role_kind(*namespace), "name": role},
            "subjects": asked.subjects().iter().map(Subject::json).collect::<Vec<_>>(),
        }),
    }
}

fn rule(rule: &Rule) -> Value {
    if !rule.paths.is_empty() {
        return json!({"nonResourceURLs": rule.paths, "verbs": rule.verbs});
    }
    let mut value = json!({
        "apiGroups": rule.groups, "resources": rule.resources, "verbs": rule.verbs,
    });
    if !rule.names.is_empty() {
        value["resourceNames"] = json!(rule.names);
    }
    value
}

impl Subject {
    fn named(&self) -> String {
        match self {
            Self::User(name) => format!("user {name}"),
            Self::Group(name) => format!("group {name}"),
            Self::ServiceAccount { namespace, name } => {
                format!("service account {namespace}:{name}")
            }
        }
    }

    fn yaml(&self) -> String {
        match self {
            Self::User(name) => {
                format!(
                    "  - apiGroup: {GROUP}\n    kind: User\n    name: {}\n",
                    scalar(name)
                )
            }
            Self::Group(name) => {
                format!(
                    "  - apiGroup: {GROUP}\n    kind: Group\n    name: {}\n",
                    scalar(name)
                )
            }
            Self::ServiceAccount { namespace, name } => format!(
                "  - kind: ServiceAccount\n    name: {}\n    namespace: {}\n",
                scalar(name),
                scalar(namespace)
            ),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::User(name) => json!({"apiGroup": GROUP, "kind": "User", "name": name}),
            Self::Group(name) => json!({"apiGroup": GROUP, "kind": "Group", "name": name}),
            Self::ServiceAccount { namespace, name } => {
                json!({"kind": "ServiceAccount", "name": name, "namespace": namespace})
            }
        }
    }
}
