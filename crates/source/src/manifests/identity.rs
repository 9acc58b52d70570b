//! Whether a document is an object that can be applied, and whose metadata has the right types.

use serde_json::Value;

use crate::{
    Diagnostic,
    yaml::{Content, Field, Node, NodeDocument, describe},
};

/// What keeps the node from being an object; empty if nothing does.
pub(super) fn check(node: &Node, document: &NodeDocument) -> Vec<Diagnostic> {
    let mut check = Check {
        document,
        diagnostics: Vec::new(),
    };
    check.object(node);
    check.diagnostics
}

struct Check<'a> {
    document: &'a NodeDocument,
    diagnostics: Vec<Diagnostic>,
}

impl Check<'_> {
    fn report(&mut self, at: (u32, u32), message: impl Into<String>, help: &str) {
        let diagnostic = Diagnostic::new(self.document.place(at), message).with_help(help);
        self.diagnostics.push(diagnostic);
    }

    fn object(&mut self, node: &Node) {
        if !matches!(node.content, Content::Mapping(_)) {
            let message = format!(
                "the document is {}, not a Kubernetes object",
                node.describe()
            );
            self.report(node.at, message, "move it out of the manifests");
            return;
        }
        if node.get("apiVersion").is_none() && node.get("kind").is_none() {
            let message =
                "the document is not a Kubernetes object: it has no `apiVersion` and no `kind`";
            self.report(node.at, message, self.not_an_object_help());
            return;
        }
        if node.text_at("kind") == Some("Kustomization") && node.get("metadata").is_none() {
            let message = "a kustomization is not an object";
            self.report(node.at, message, KUSTOMIZE_HELP);
            return;
        }
        self.text(node, "", "apiVersion");
        self.text(node, "", "kind");
        if let Some(version) = node.text_at("apiVersion") {
            self.api_version(node, version);
        }
        match node
            .get("metadata")
            .map(|field| (field, &field.value.content))
        {
            Some((field, Content::Mapping(_))) => self.metadata(&field.value, field.key_at),
            Some((field, _)) => {
                let message = format!("`metadata` is {}, not a mapping", field.value.describe());
                self.report(field.key_at, message, "give it a `name`");
            }
            None => self.report(node.at, "the object has no `metadata.name`", NAME_HELP),
        }
    }

    fn not_an_object_help(&self) -> &'static str {
        let file = self
            .document
            .file
            .rsplit(['/', '\\'])
            .next()
            .unwrap_or_default();
        match file {
            "kustomization.yaml" | "kustomization.yml" => KUSTOMIZE_HELP,
            "Chart.yaml" | "values.yaml" => {
                "render the chart with `helm template` and use the result"
            }
            _ => "add both, or move the file out of the manifests",
        }
    }

    fn api_version(&mut self, node: &Node, version: &str) {
        let mut parts = version.split('/');
        let well_formed = parts.clone().count() <= 2 && parts.all(|part| !part.is_empty());
        if !well_formed && !version.is_empty() {
            let at = node.get("apiVersion").map_or(node.at, |field| field.key_at);
            let message = format!("`apiVersion` is `{version}`, not of the form `group/version`");
            self.report(at, message, "write `v1`, `apps/v1` or the like");
        }
    }

    fn metadata(&mut self, metadata: &Node, at: (u32, u32)) {
        let name = metadata.get("name");
        match (name, metadata.get("generateName")) {
            (None, Some(field)) => self.report(
                field.key_at,
                "`metadata.generateName` makes another object in every run",
                "give the object a `metadata.name`",
            ),
            (None, None) => self.report(at, "the object has no `metadata.name`", NAME_HELP),
            (Some(field), _) => {
                self.text(metadata, "metadata.", "name");
                if let Some(name) = metadata.text_at("name") {
                    self.name(field, name);
                }
            }
        }
        if metadata
            .get("namespace")
            .is_some_and(|field| !is_null(&field.value))
        {
            self.text(metadata, "metadata.", "namespace");
        }
        self.texts(metadata, "labels");
        self.texts(metadata, "annotations");
    }

    /// What would leave the object's own path on the API server.
    fn name(&mut self, field: &Field, name: &str) {
        if name == "." || name == ".." || name.contains(['/', '%']) {
            let message = format!("`metadata.name` `{name}` is not a valid name");
            self.report(field.key_at, message, "a name holds no `/` and no `%`");
        }
    }

    /// Reports a field that is missing, no string, or empty.
    fn text(&mut self, parent: &Node, prefix: &str, key: &str) {
        let Some(field) = parent.get(key) else {
            let message = format!("the object has no `{prefix}{key}`");
            return self.report(parent.at, message, "add it");
        };
        let problem = match &field.value.content {
            Content::Scalar(scalar) => match &scalar.value {
                Value::String(text) if !text.is_empty() => return,
                Value::String(_) | Value::Null => ("empty", "give it a value"),
                other => (describe(other), "put the value in quotes"),
            },
            _ => (field.value.describe(), "write a single name"),
        };
        let (found, help) = problem;
        let message = format!("`{prefix}{key}` is {found}, but must be a string");
        self.report(field.key_at, message, help);
    }

    /// Labels and annotations: `on: yes` is a boolean to YAML and refused by the API server.
    fn texts(&mut self, metadata: &Node, key: &str) {
        let Some(map) = metadata.get(key).filter(|field| !is_null(&field.value)) else {
            return;
        };
        let Content::Mapping(fields) = &map.value.content else {
            let message = format!(
                "`metadata.{key}` is {}, not a mapping",
                map.value.describe()
            );
            return self.report(map.key_at, message, "write `key: value` lines");
        };
        for field in fields {
            let is_text = matches!(
                &field.value.content,
                Content::Scalar(scalar) if scalar.value.is_string() || scalar.value.is_null()
            );
            if !is_text {
                let message = format!(
                    "`{}` in `metadata.{key}` is {}, but must be a string",
                    field.key,
                    field.value.describe()
                );
                self.report(field.key_at, message, "put the value in quotes");
            }
        }
    }
}

const NAME_HELP: &str = "every object needs a name of its own";
const KUSTOMIZE_HELP: &str =
    "render it with `kubectl kustomize` and use the result, such as through `manifests: \"-\"`";

fn is_null(node: &Node) -> bool {
    matches!(&node.content, Content::Scalar(scalar) if scalar.value.is_null())
}
