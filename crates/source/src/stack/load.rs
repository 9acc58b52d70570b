//! Reading a stack file: text to checked values, every problem with its place.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use underpin_model::{FieldPath, Place, SpanIndex, listed};

use super::{RESERVED_VARIABLES, StackFile, json_schema};
use crate::{
    Diagnostic, schema, substitute,
    yaml::{self, Content, Node, NodeDocument, place_of},
};

/// Largest stack file.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A stack file that was read, and where it was found.
#[derive(Clone, Debug)]
pub struct Stack {
    /// What it says.
    pub file: StackFile,
    /// The file itself, as the user named it.
    pub path: Utf8PathBuf,
    /// The folder that its paths are relative to, as the user would name it; empty for the
    /// current folder.
    pub folder: Utf8PathBuf,
    place: Place,
    spans: SpanIndex,
}

impl Stack {
    /// The place of a field of the stack file, such as `spec.environments.production`: its own, or
    /// that of the nearest enclosing field.
    pub fn place_of(&self, path: &FieldPath) -> Place {
        place_of(&self.place, &self.spans, path)
    }

    /// The place of an environment.
    pub fn place_of_environment(&self, name: &str) -> Place {
        self.place_of(&FieldPath::new("spec.environments").key(name))
    }
}

/// Why a stack file could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("cannot read {path}: {error}")]
    Io {
        /// The file.
        path: Utf8PathBuf,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// The file is larger than any stack file.
    #[error("{path} is larger than {MAX_FILE_BYTES} bytes; it is not a stack file")]
    TooLarge {
        /// The file.
        path: Utf8PathBuf,
    },
    /// The file was read and is wrong.
    #[error("{}", joined(.0))]
    Invalid(Vec<Diagnostic>),
}

fn joined(diagnostics: &[Diagnostic]) -> String {
    let lines: Vec<String> = diagnostics.iter().map(Diagnostic::to_string).collect();
    lines.join("\n")
}

/// Reads and checks a stack file. All of its problems are reported at once.
pub fn load(path: &Utf8Path) -> Result<Stack, LoadError> {
    let io_error = |error| LoadError::Io {
        path: path.to_owned(),
        error,
    };
    let metadata = fs::metadata(path).map_err(io_error)?;
    if metadata.len() > MAX_FILE_BYTES {
        return Err(LoadError::TooLarge {
            path: path.to_owned(),
        });
    }
    let text = fs::read_to_string(path).map_err(io_error)?;
    parse(path, &text)
}

/// [`load`] for a text that is at hand; `path` is what it is called.
pub fn parse(path: &Utf8Path, text: &str) -> Result<Stack, LoadError> {
    let (documents, mut diagnostics) = yaml::parse_nodes(path.as_str(), text);
    let mut documents = documents.into_iter();
    let Some(document) = documents.next() else {
        if diagnostics.is_empty() {
            diagnostics.push(empty_file(path));
        }
        return Err(LoadError::Invalid(diagnostics));
    };
    if let Some(second) = documents.next() {
        let place = second.place(second.root.at);
        let message = "a stack file holds one document, and this is a second one";
        diagnostics.push(Diagnostic::new(place, message).with_help("move it to a file of its own"));
    }
    let checked = check(document, path, &mut diagnostics);
    match checked {
        Some(stack) if diagnostics.is_empty() => Ok(stack),
        _ => {
            diagnostics.sort_by(|left, right| left.place.cmp(&right.place));
            Err(LoadError::Invalid(diagnostics))
        }
    }
}

fn empty_file(path: &Utf8Path) -> Diagnostic {
    let place = Place {
        file: path.as_str().into(),
        line: 1,
        column: 1,
    };
    Diagnostic::new(place, "the stack file is empty")
        .with_help("a stack file begins with `apiVersion: underpin.dev/v1` and `kind: Stack`")
}

fn check(
    document: NodeDocument,
    path: &Utf8Path,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Stack> {
    let place = document.place(document.root.at);
    let mut root = document.root;
    normalise(&mut root);
    let (value, spans) = yaml::to_value_and_spans(root);
    let before = diagnostics.len();
    diagnostics.extend(
        schema::check(&json_schema(), "the stack file", &value)
            .into_iter()
            .map(|problem| Diagnostic {
                place: place_of(&place, &spans, &problem.path),
                message: problem.message,
                help: problem.help,
            }),
    );
    if diagnostics.len() > before {
        return None;
    }
    let file: StackFile = match serde_json::from_value(value) {
        Ok(file) => file,
        Err(error) => {
            diagnostics.push(Diagnostic::new(place, error.to_string()));
            return None;
        }
    };
    let stack = Stack {
        file,
        path: path.to_owned(),
        folder: path.parent().unwrap_or(Utf8Path::new("")).to_owned(),
        place,
        spans,
    };
    diagnostics.extend(check_meaning(&stack));
    Some(stack)
}

/// An environment with nothing to say (`production:`) is an empty one, and variables are kept as
/// they are written: `version: 1.20` is the text `1.20`.
fn normalise(root: &mut Node) {
    let Some(environments) =
        field_mut(root, "spec").and_then(|spec| field_mut(spec, "environments"))
    else {
        return;
    };
    let Content::Mapping(environments) = &mut environments.content else {
        return;
    };
    for environment in environments.iter_mut().map(|field| &mut field.value) {
        if matches!(&environment.content, Content::Scalar(scalar) if scalar.value.is_null()) {
            environment.content = Content::Mapping(Vec::new());
        }
        let Some(Content::Mapping(vars)) =
            field_mut(environment, "vars").map(|vars| &mut vars.content)
        else {
            continue;
        };
        for variable in vars {
            if let Content::Scalar(scalar) = &mut variable.value.content
                && !scalar.value.is_null()
            {
                scalar.value = Value::String(scalar.text().to_owned());
            }
        }
    }
}

fn field_mut<'a>(node: &'a mut Node, key: &str) -> Option<&'a mut Node> {
    match &mut node.content {
        Content::Mapping(fields) => fields
            .iter_mut()
            .find(|field| field.key == key)
            .map(|field| &mut field.value),
        _ => None,
    }
}

/// What the schema cannot say.
fn check_meaning(stack: &Stack) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let environments = FieldPath::new("spec.environments");
    for (name, environment) in &stack.file.spec.environments {
        let at = environments.key(name);
        for (variable, source) in &environment.secrets {
            let at = at.key("secrets").key(variable);
            if source.env.is_some() == source.file.is_some() {
                let message = format!("secret `{variable}` needs exactly one of `env` and `file`");
                diagnostics.push(Diagnostic::new(stack.place_of(&at), message));
            }
            if environment.vars.contains_key(variable) {
                let message = format!("`{variable}` is both in `vars` and in `secrets`");
                diagnostics.push(
                    Diagnostic::new(stack.place_of(&at), message)
                        .with_help("rename or remove one of the two"),
                );
            }
        }
        let vars = environment.vars.keys().map(|key| ("vars", key));
        let secrets = environment.secrets.keys().map(|key| ("secrets", key));
        for (field, variable) in vars.chain(secrets) {
            if let Some((message, help)) = variable_name_problem(variable) {
                let place = stack.place_of(&at.key(field).key(variable));
                diagnostics.push(Diagnostic::new(place, message).with_help(help));
            }
        }
        if environment.shared && environment.namespace.is_none() {
            let message = format!("environment `{name}` is `shared` without naming a namespace");
            diagnostics.push(
                Diagnostic::new(stack.place_of(&at.key("shared")), message)
                    .with_help("add `namespace:` with the namespace that is shared"),
            );
        }
    }
    let standard_input = stack.file.spec.sources.iter().enumerate();
    for (index, _) in standard_input.filter(|(_, s)| s.manifests == "-").skip(1) {
        let at = FieldPath::new("spec.sources").index(index);
        let message = "standard input can be a source only once";
        diagnostics.push(Diagnostic::new(stack.place_of(&at), message));
    }
    diagnostics
}

fn variable_name_problem(name: &str) -> Option<(String, String)> {
    if RESERVED_VARIABLES.contains(&name) {
        let message = format!("variable `{name}` is set by Underpin and cannot be redefined");
        let help = format!(
            "choose another name than {}",
            listed(RESERVED_VARIABLES.iter().copied())
        );
        return Some((message, help));
    }
    (!substitute::is_variable_name(name)).then(|| {
        let message = format!("`{name}` cannot be the name of a variable");
        let help = "use letters, digits, `_`, `-` and `.`, beginning with a letter or `_`";
        (message, help.to_owned())
    })
}
