//! Regular expressions of schemas, compiled once.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use regex::Regex;

/// Compiled expressions that are kept.
const KEPT: usize = 512;

static COMPILED: LazyLock<Mutex<BTreeMap<String, Option<Arc<Regex>>>>> =
    LazyLock::new(Mutex::default);

/// Whether a text matches; an expression that is none matches everything.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let compiled = {
        let mut kept = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        let entry = kept.entry(pattern.to_owned());
        entry
            .or_insert_with(|| Regex::new(pattern).ok().map(Arc::new))
            .clone()
    };
    compiled.is_none_or(|regex| regex.is_match(text))
}
