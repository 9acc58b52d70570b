use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use underpin_deploy::Imported;
use underpin_plan::Environment;

use super::names;

/// What an import recorded.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportDocument<'a> {
    /// The stack.
    stack: &'a str,
    /// The environment.
    environment: &'a str,
    /// The namespace that it lives in.
    namespace: &'a str,
    /// Objects that are recorded as its own.
    recorded: Vec<String>,
    /// Objects that were recorded before.
    already_recorded: Vec<String>,
    /// Objects that were told of and are not there.
    missing: Vec<String>,
    /// Whose the objects are as other tools see it, and how many.
    owners: &'a BTreeMap<String, usize>,
    /// Whether anything was written.
    written: bool,
}

impl<'a> ImportDocument<'a> {
    pub(crate) fn of(environment: &'a Environment, imported: &'a Imported) -> Self {
        Self {
            stack: &environment.stack,
            environment: &environment.name,
            namespace: &imported.placement.namespace,
            recorded: names(&imported.found),
            already_recorded: names(&imported.already),
            missing: names(&imported.missing),
            owners: &imported.owners,
            written: imported.written,
        }
    }
}
