use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use underpin_model::{Finding, Object, Place, Severity};
use underpin_plan::{WaitingError, rules::up102, sort_findings, waiting};
use underpin_source::{
    Diagnostic,
    manifests::{read, render as render_manifests},
    stack::{Stack, find},
};

use super::write;
use crate::{
    Exit,
    error::CommandError,
    output::Format,
    render,
    setup::{STACK_FILE, declared_environments, load_stack},
};

/// Check declared files without a cluster
///
/// Reads every stack file below the paths, its manifests and variables, and reports what is wrong
/// with them: syntax, undefined variables, duplicates, and environments that would share a
/// namespace (UP102).
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Stack files, or folders that are searched for underpin.yaml.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<Utf8PathBuf>,
    /// Exit with 7 when there are warnings.
    #[arg(long)]
    strict: bool,
    /// Output for people (text) or for programs (json).
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
}

pub(crate) fn check(args: &CheckArgs) -> Result<Exit, CommandError> {
    let files = stack_files(&args.paths)?;
    let (mut environments, mut diagnostics) = (Vec::new(), Vec::new());
    for file in &files {
        match load_stack(file) {
            Ok(stack) => {
                environments.extend(declared_environments(&stack));
                diagnostics.extend(check_stack(&stack));
            }
            // One broken file leaves the others readable.
            Err(CommandError::Declared {
                diagnostics: found, ..
            }) => diagnostics.extend(found),
            Err(other) => diagnostics.push(unreadable(file, &other)),
        }
    }
    diagnostics.sort_by(|a, b| (&a.place, &a.message).cmp(&(&b.place, &b.message)));
    diagnostics.dedup_by(|a, b| a.place == b.place && a.message == b.message);
    let mut findings = up102::collisions(&environments);
    sort_findings(&mut findings);
    for finding in &mut findings {
        // There is no run here that could accept anything.
        finding.help.retain(|help| !help.contains("--accept"));
    }
    let warns = findings
        .iter()
        .any(|finding| finding.severity == Severity::Warn);
    let exit = if !diagnostics.is_empty() {
        Exit::Error
    } else if findings.iter().any(Finding::blocks) {
        Exit::Blocked
    } else if args.strict && warns {
        Exit::Warnings
    } else {
        Exit::Done
    };
    write(&match args.output {
        Format::Text => render::text::check(files.len(), &diagnostics, &findings),
        Format::Json => render::json::check(exit, files.len(), &diagnostics, &findings),
    })?;
    Ok(exit)
}

/// What is wrong with a stack's manifests, in each of its environments. Secrets need no value here.
fn check_stack(stack: &Stack) -> Vec<Diagnostic> {
    let (documents, mut diagnostics) = read(stack, Some(String::new()));
    for name in stack.file.spec.environments.keys() {
        let variables = stack.variables_without_secrets(name, "namespace");
        let (objects, found) = render_manifests(&documents, &variables);
        diagnostics.extend(found);
        diagnostics.extend(objects.iter().flat_map(unfollowable));
    }
    diagnostics
}

/// Annotations about waiting that cannot be followed.
fn unfollowable(object: &Object) -> Vec<Diagnostic> {
    let (_, errors) = waiting(object);
    let diagnostic = |error: WaitingError| {
        Some(Diagnostic::new(error.place?, error.message).with_help(error.help))
    };
    errors.into_iter().filter_map(diagnostic).collect()
}

/// A stack file that cannot be read, as one problem among others.
fn unreadable(file: &Utf8Path, error: &CommandError) -> Diagnostic {
    let place = Place {
        file: file.as_str().into(),
        line: 1,
        column: 1,
    };
    Diagnostic {
        place,
        message: error.to_string(),
        help: error.help(),
    }
}

fn stack_files(paths: &[Utf8PathBuf]) -> Result<Vec<Utf8PathBuf>, CommandError> {
    let mut files = Vec::new();
    for path in paths {
        let before = files.len();
        if path.is_dir() {
            files.extend(find(path)?);
        } else if path.exists() {
            files.push(path.clone());
        } else {
            return Err(CommandError::usage(
                format!("there is no file or folder {path}"),
                "name a stack file or a folder that holds one",
            ));
        }
        // Each path was meant to be checked; one without a stack file is most often a typo.
        if files.len() == before {
            return Err(CommandError::usage(
                format!("there is no {STACK_FILE} in {path} or below it"),
                "name a stack file or a folder that holds one",
            ));
        }
    }
    let mut files: Vec<Utf8PathBuf> = files.iter().map(|file| plain(file)).collect();
    files.sort();
    // The same file by two names would collide with itself.
    let mut seen = BTreeSet::new();
    files.retain(|file| seen.insert(file.canonicalize().unwrap_or_else(|_| file.into())));
    Ok(files)
}

/// A path as people write it: `underpin.yaml`, not `./underpin.yaml`.
fn plain(path: &Utf8Path) -> Utf8PathBuf {
    match path.strip_prefix(".") {
        Ok(rest) if !rest.as_str().is_empty() => rest.to_owned(),
        _ => path.to_owned(),
    }
}
