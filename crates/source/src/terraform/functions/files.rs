//! Functions on files, which lie within the folder that is read or are refused.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use camino::{Utf8Path, Utf8PathBuf};
use hcl_edit::template::Template;
use underpin_model::Place;

use super::{Call, Function, Needs, function};
use crate::{
    Diagnostic,
    terraform::{
        confines::Refusal,
        engine::{Name, Outcome, Scope},
        failure::Failure,
        paths,
        value::Value,
    },
};

pub(super) const FUNCTIONS: &[Function] = &[
    function("basename", 1, Some(1), Needs::Everything, |call| {
        let text = call.text(0)?;
        let trimmed = text.trim_end_matches('/');
        Ok(Value::text(match trimmed.rsplit('/').next() {
            _ if text.is_empty() => ".",
            Some("") | None => "/",
            Some(name) => name,
        }))
    }),
    function("dirname", 1, Some(1), Needs::Everything, |call| {
        let text = call.text(0)?;
        Ok(match text.rfind('/') {
            None => Value::text("."),
            Some(0) => Value::text("/"),
            Some(end) => {
                let folder = paths::tidy(Utf8Path::new(text.get(..end).unwrap_or_default()));
                Value::text(or_dot(&folder))
            }
        })
    }),
    function("file", 1, Some(1), Needs::Everything, |call| {
        let path = call.text(0)?;
        match read(call, &path)? {
            Ok(bytes) => text_of(bytes).map(Value::text),
            Err(reason) => Ok(Value::unknown(reason)),
        }
    }),
    function("filebase64", 1, Some(1), Needs::Everything, |call| {
        let path = call.text(0)?;
        Ok(match read(call, &path)? {
            Ok(bytes) => Value::text(STANDARD.encode(bytes)),
            Err(reason) => Value::unknown(reason),
        })
    }),
    function("fileexists", 1, Some(1), Needs::Everything, |call| {
        let path = call.text(0)?;
        let full = full_path(call, &path);
        match call.engine.confines.is_file(&full) {
            Ok(is_file) => Ok(Value::bool(is_file)),
            Err(refusal) => refused(call, &path, refusal).map(Value::unknown),
        }
    }),
    function("fileset", 2, Some(2), Needs::Everything, fileset),
    function("templatefile", 2, Some(2), Needs::Nothing, |call| {
        if let Some(reason) = call.argument(0)?.reason() {
            return Ok(Value::unknown(reason));
        }
        let path = call.text(0)?;
        match read(call, &path)? {
            Ok(bytes) => render(call, &text_of(bytes)?),
            Err(reason) => Ok(Value::unknown(reason)),
        }
    }),
    function("templatestring", 2, Some(2), Needs::Nothing, |call| {
        if let Some(reason) = call.argument(0)?.reason() {
            return Ok(Value::unknown(reason));
        }
        render(call, &call.text(0)?)
    }),
];

fn or_dot(path: &Utf8Path) -> &str {
    if path.as_str().is_empty() {
        "."
    } else {
        path.as_str()
    }
}

/// Where a path leads: relative ones from the folder that Terraform is run in.
fn full_path(call: &Call<'_, '_, '_>, path: &str) -> Utf8PathBuf {
    let folder = &call.scope.instance.root.folder;
    let joined = folder.join(path);
    if joined.as_str().is_empty() {
        Utf8PathBuf::from(".")
    } else {
        joined
    }
}

/// The bytes of a file; within, why they are unknown.
fn read(call: &Call<'_, '_, '_>, path: &str) -> Result<Result<Vec<u8>, String>, Failure> {
    let full = full_path(call, path);
    match call.engine.confines.read(&full) {
        Ok(bytes) => {
            call.engine.spend_bytes(bytes.len() as u64)?;
            Ok(Ok(bytes))
        }
        Err(refusal) => refused(call, path, refusal).map(Err),
    }
}

/// Why a file is unknown; a file that is not there is the expression's fault.
fn refused(call: &Call<'_, '_, '_>, path: &str, refusal: Refusal) -> Result<String, Failure> {
    let secret = call.arguments.first().is_some_and(|path| path.secret);
    let name = if secret { "the file" } else { path };
    match refusal {
        Refusal::Missing => Err(Failure::new(format!("there is no file `{name}`"))
            .with_help("paths begin at the folder that Terraform is run in; `${path.module}` leads to the module's")),
        Refusal::Unreadable(why) => Err(Failure::new(format!("`{name}` cannot be read: {why}"))),
        Refusal::Outside => {
            let message = format!("`{name}` lies outside the folder that is read");
            let place = call.arguments.first().and_then(|path| path.at);
            let place = place.and_then(|site| call.engine.texts.place(site));
            let place = place.unwrap_or_else(|| Place {
                file: call.scope.instance.module.folder.as_str().into(),
                line: 1,
                column: 1,
            });
            let help = "files outside are not read: name a folder that holds both";
            call.engine
                .report(Diagnostic::new(place, message.clone()).with_help(help));
            Ok(message)
        }
    }
}

fn text_of(bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|_| Failure::new("the file is not UTF-8 text"))
}

fn render(call: &Call<'_, '_, '_>, text: &str) -> Outcome {
    let given = call.argument(1)?;
    if let Some(reason) = given.reason() {
        return Ok(Value::unknown(reason));
    }
    let template: Template = text.parse().map_err(|error: hcl_edit::parser::Error| {
        let location = error.location();
        Failure::new(format!(
            "the template cannot be read, from its line {}, column {}",
            location.line(),
            location.column()
        ))
    })?;
    let fields = call.fields(1)?;
    if let Some(reason) = &fields.rest {
        return Ok(Value::unknown(Arc::clone(reason)));
    }
    let secret = given.secret;
    with_all(call, &mut fields.fields.iter(), secret, None, &template)
}

/// Evaluates the template with each field as a name. Recursion is bounded by [`MAX_NAMES`].
fn with_all(
    call: &Call<'_, '_, '_>,
    fields: &mut std::collections::btree_map::Iter<'_, Arc<str>, Value>,
    secret: bool,
    names: Option<&Name<'_>>,
    template: &Template,
) -> Outcome {
    if let Some((name, value)) = fields.next() {
        if fields.len() > MAX_NAMES {
            let message = format!("the template is given more than {MAX_NAMES} variables");
            return Err(Failure::new(message));
        }
        let name = Name {
            word: name,
            value: value.clone().secret_if(secret),
            up: names,
        };
        return with_all(call, fields, secret, Some(&name), template);
    }
    let scope = Scope {
        instance: call.scope.instance,
        file: None,
        shift: 0,
        names,
        closed: true,
    };
    call.engine
        .deeper(|| call.engine.template(template, false, scope))
}

/// Most variables of a template.
const MAX_NAMES: usize = 1_000;

fn fileset(call: &Call<'_, '_, '_>) -> Outcome {
    let (folder, pattern) = (call.text(0)?, call.text(1)?);
    let full = full_path(call, &folder);
    let files = match call.engine.confines.files(&full) {
        Ok(files) => files,
        Err(Refusal::Missing) => Vec::new(),
        Err(refusal) => return refused(call, &folder, refusal).map(Value::unknown),
    };
    call.engine.spend_bytes(files.len() as u64 * 64)?;
    if pattern.split('/').any(|part| part == "..") {
        let message = refused(call, &pattern, Refusal::Outside)?;
        return Ok(Value::unknown(message));
    }
    let pattern = glob(&pattern)?;
    let found = files.iter().filter(|file| pattern.is_match(file));
    Value::set(found.map(|file| Value::text(file.as_str())).collect())
}

/// A pattern of paths as a regular expression: `*` and `?` within a name, `**` over folders,
/// `[a-z]`, `{a,b}`.
fn glob(pattern: &str) -> Result<regex::Regex, Failure> {
    let mut out = String::from("^");
    let mut chars = pattern.chars().peekable();
    let mut braces = 0_u32;
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.next_if_eq(&'*').is_some() => {
                if chars.next_if_eq(&'/').is_some() {
                    out.push_str("(?:.*/)?");
                } else {
                    out.push_str(".*");
                }
            }
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '[' => {
                out.push('[');
                if chars.next_if(|c| matches!(c, '!' | '^')).is_some() {
                    out.push('^');
                }
                for c in chars.by_ref() {
                    if c == '[' || c == '&' || c == '~' {
                        out.push('\\');
                    }
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            '{' => {
                braces += 1;
                out.push_str("(?:");
            }
            '}' if braces > 0 => {
                braces -= 1;
                out.push(')');
            }
            ',' if braces > 0 => out.push('|'),
            '\\' => {
                if let Some(c) = chars.next() {
                    out.push_str(&regex::escape(&c.to_string()));
                }
            }
            other => out.push_str(&regex::escape(&other.to_string())),
        }
    }
    out.push('$');
    regex::Regex::new(&out).map_err(|_| Failure::new("the pattern of paths is not valid"))
}
