//! Words that findings share: counts, lists, commands.

pub(crate) use underpin_model::wording::{count, list};

/// The way out that is always there: taking the responsibility by name.
pub(crate) fn accept(code: underpin_model::Code, subject: &str) -> String {
    format!("to go on all the same: --accept {code}:{subject} --reason \"…\"")
}

/// For an object that Argo CD or Flux applies: where to change it.
pub(crate) fn change_it_in_git(
    object: &underpin_model::Object,
    world: &underpin_model::World,
) -> Option<String> {
    let source = underpin_refs::git_source(object, world)?;
    Some(format!("change it in git: {source}"))
}
