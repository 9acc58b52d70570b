//! What an import records.

use underpin_deploy::Imported;
use underpin_model::wording;
use underpin_plan::Environment;

/// What would be recorded.
pub(crate) fn import_plan(environment: &Environment, imported: &Imported) -> String {
    let mut text = format!(
        "record {} as the home of {}, and as its own:\n",
        imported.placement.namespace,
        environment.display_name()
    );
    for key in &imported.found {
        text.push_str(&format!("  @ {key}\n"));
    }
    for key in &imported.missing {
        text.push_str(&format!("  ? {key}: not there; the next `up` creates it\n"));
    }
    for (owner, count) in &imported.owners {
        text.push_str(&format!(
            "note: {} as seen by {owner}, which still believes that it owns them: \
             stop it from deploying or deleting them\n",
            wording::count(*count, "object")
        ));
    }
    text
}

/// What was recorded.
pub(crate) fn imported(environment: &Environment, imported: &Imported) -> String {
    let name = environment.display_name();
    if !imported.written {
        let count = wording::count(imported.already.len(), "object");
        return format!("{name} has recorded this before: {count}; nothing was changed\n");
    }
    let mut text = format!(
        "{name} lives in namespace {} and owns {}; nothing else was changed\n",
        imported.placement.namespace,
        wording::count(imported.found.len() + imported.already.len(), "object"),
    );
    text.push_str("next: `underpin plan` shows what the declared files would change\n");
    text
}
