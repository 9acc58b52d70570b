//! Frozen plans as files.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read as _},
};

use camino::Utf8Path;
use serde_json::Value;
use underpin_plan::FrozenPlan;

use crate::error::CommandError;

/// Largest file that is read: a plan of a hundred thousand objects is smaller.
const MAX_BYTES: u64 = 64 << 20;
/// How a plan of an environment is frozen.
const FREEZE: &str = "freeze one with `underpin plan --out FILE`";

/// Writes a frozen plan, in place of what was in the file.
pub(crate) fn write(path: &Utf8Path, plan: &FrozenPlan) -> Result<(), CommandError> {
    let text = serde_json::to_string_pretty(plan).map_err(io::Error::other);
    let text = text.map_err(|source| unwritten(path, source))?;
    write_text(path, &(text + "\n"))
}

/// Writes the document of a frozen plan, in place of what was in the file.
pub(crate) fn write_text(path: &Utf8Path, text: &str) -> Result<(), CommandError> {
    fs::write(path, text).map_err(|source| unwritten(path, source))
}

fn unwritten(path: &Utf8Path, source: io::Error) -> CommandError {
    CommandError::Io {
        what: format!("cannot write the frozen plan {path}"),
        source,
    }
}

/// Removes the frozen plan that a refused one would have replaced, so that nobody carries out an
/// older consent. What is no frozen plan stays.
pub(crate) fn withdraw(path: &Utf8Path) -> Result<bool, CommandError> {
    if read(path).is_err() {
        return Ok(false);
    }
    remove(path)
}

/// The same of a frozen plan of another kind, which is known by its text.
pub(crate) fn withdraw_if(
    path: &Utf8Path,
    is_one: impl Fn(&str) -> bool,
) -> Result<bool, CommandError> {
    let text = bytes(path, FREEZE)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    match text {
        Some(text) if is_one(&text) => remove(path),
        _ => Ok(false),
    }
}

fn remove(path: &Utf8Path) -> Result<bool, CommandError> {
    fs::remove_file(path).map_err(|source| CommandError::Io {
        what: format!("cannot remove the former frozen plan {path}"),
        source,
    })?;
    Ok(true)
}

/// Reads a frozen plan.
pub(crate) fn read(path: &Utf8Path) -> Result<FrozenPlan, CommandError> {
    let way = format!("{FREEZE}; an environment is named with -e");
    parse(path, &bytes(path, &way)?)
}

/// The text of a frozen plan of another kind; `way` is how one is frozen.
pub(crate) fn read_text(path: &Utf8Path, way: &str) -> Result<String, CommandError> {
    String::from_utf8(bytes(path, way)?)
        .map_err(|_| CommandError::usage(format!("{path} is no frozen plan: it is no text"), way))
}

fn bytes(path: &Utf8Path, way: &str) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        return Err(unreadable(path, error, way));
    }
    if bytes.len() as u64 > MAX_BYTES {
        let message = format!("{path} is no frozen plan: it has more than {MAX_BYTES} bytes");
        return Err(CommandError::usage(message, way));
    }
    Ok(bytes)
}

fn parse(path: &Utf8Path, bytes: &[u8]) -> Result<FrozenPlan, CommandError> {
    let document: Value = serde_json::from_slice(bytes).map_err(|error| {
        refused(format!(
            "{path} is no frozen plan, or was cut short: it is not JSON at line {}, column {}",
            error.line(),
            error.column()
        ))
    })?;
    match document.get("schema").and_then(Value::as_str) {
        Some(FrozenPlan::SCHEMA) => {}
        Some(other) if other.starts_with("underpin.dev/frozen-plan/") => {
            return Err(refused(format!(
                "{path} is a frozen plan of another version: {other}, and this version of Underpin \
                 reads {}",
                FrozenPlan::SCHEMA
            )));
        }
        Some(other) if other.starts_with("underpin.dev/") => {
            return Err(refused(format!("{path} is no frozen plan but {other}")));
        }
        _ => {
            return Err(refused(format!(
                "{path} is no frozen plan: its `schema` is missing"
            )));
        }
    }
    serde_json::from_value(document)
        .map_err(|error| refused(format!("the frozen plan {path} is damaged: {error}")))
}

fn refused(message: String) -> CommandError {
    CommandError::usage(message, FREEZE)
}

fn unreadable(path: &Utf8Path, error: io::Error, way: &str) -> CommandError {
    match error.kind() {
        ErrorKind::NotFound => CommandError::usage(format!("there is no frozen plan {path}"), way),
        _ => CommandError::Io {
            what: format!("cannot read the frozen plan {path}"),
            source: error,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let error = parse(Utf8Path::new("p.json"), text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(expect), "{error}");
    }

    /// A refused plan leaves no older consent behind, and takes no other file along.
    #[test]
    fn only_a_former_frozen_plan_is_withdrawn() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        let good = include_str!("../tests/cli/fixtures/frozen/good.json");
        for (name, text, goes) in [("plan.json", good, true), ("notes.json", "{}", false)] {
            let file = folder.join(name);
            fs::write(&file, text).unwrap();
            assert_eq!(withdraw(&file).unwrap(), goes, "{name}");
            assert_eq!(file.exists(), !goes, "{name}");
        }
        assert!(!withdraw(&folder.join("none.json")).unwrap());
    }

    #[test]
    fn what_is_no_frozen_plan_is_told() {
        check("", "cut short");
        check(
            r#"{"schema": "underpin.dev/frozen-plan/v1", "ste"#,
            "cut short",
        );
        check("apiVersion: v1", "not JSON at line 1");
        check("{}", "`schema` is missing");
        check("[1]", "`schema` is missing");
        check(
            r#"{"schema": "underpin.dev/plan/v1"}"#,
            "but underpin.dev/plan/v1",
        );
        check(
            r#"{"schema": "underpin.dev/frozen-plan/v2"}"#,
            "another version",
        );
        check(r#"{"schema": "underpin.dev/frozen-plan/v1"}"#, "is damaged");
    }
}
