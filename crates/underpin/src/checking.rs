//! What `check` reads and asks: trees of files, what they are compared with, and the rules.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::Arc,
};

use camino::{Utf8Path, Utf8PathBuf};
use underpin_model::{FieldPath, Finding, Mask, Need, Object, Place, Unread, World};
use underpin_plan::{
    Network, Survey, WaitingError, applied, secret_values, survey, suppression::Texts, waiting,
};
use underpin_refs::needs::NeedOptions;
use underpin_source::{Diagnostic, terraform};

use crate::{
    error::CommandError,
    render::check::Excerpts,
    trees::{DeclaredTree, DeclaredWorld, stack_files},
    worlds::Source,
};

/// What is to be examined, and what is known besides.
pub(crate) struct Question<'a> {
    pub(crate) paths: &'a [Utf8PathBuf],
    pub(crate) variable_files: &'a [Utf8PathBuf],
    pub(crate) needs: &'a [Utf8PathBuf],
    pub(crate) flows: &'a [Utf8PathBuf],
    pub(crate) cluster_domain: Option<&'a str>,
    pub(crate) since: Option<&'a str>,
    pub(crate) live: Option<&'a Source>,
}

/// What was found.
pub(crate) struct Examined {
    pub(crate) tree: DeclaredTree,
    /// What the files declare, per cluster.
    pub(crate) worlds: Vec<World>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) change: Option<Changed>,
    /// What must not be shown.
    masks: Vec<Mask>,
}
