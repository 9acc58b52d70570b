//! Keys that protect an object, each as the tool that defined it reads it.

use underpin_model::{Object, names};

/// A protection key on an object. A replacement begins with a deletion, so what protects from
/// deletion protects from replacement too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection {
    /// Key and value, such as `helm.sh/resource-policy=keep`.
    pub key: String,
    /// The tool that defined the key.
    pub tool: &'static str,
    /// Whether the object must not be deleted.
    pub from_delete: bool,
    /// Whether the object must not be deleted and made anew.
    pub from_replace: bool,
    /// Whether it protects only while there is something in the object, or it has replicas.
    pub cascading_only: bool,
}

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Annotation,
    Label,
    Either,
}

/// How the value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// As it is.
    Exact,
    /// Trimmed, in any case.
    AnyCase,
    /// Items separated by commas, each trimmed.
    List,
    /// Words that Go's `strconv.ParseBool` takes for true.
    True,
}

/// One value of one key that protects.
struct Row {
    key: &'static str,
    value: &'static str,
    tool: &'static str,
    place: Place,
    reading: Reading,
    from_delete: bool,
    cascading_only: bool,
}

const fn row(
    tool: &'static str,
    place: Place,
    reading: Reading,
    key: &'static str,
    value: &'static str,
) -> Row {
    Row {
        key,
        value,
        tool,
        place,
        reading,
        from_delete: true,
        cascading_only: false,
    }
}

const ARGO_OPTIONS: &str = "argocd.argoproj.io/sync-options";
const KRUISE: &str = "policy.kruise.io/delete-protection";
const WERF: &str = "werf.io/resource-policy";
const GARDENER_PROTECTED: &str = "gardener.cloud/deletion-protected";
const GARDENER_CONFIRMATION: &str = "confirmation.gardener.cloud/deletion";

/// Every protection that is a value of a key. Sources: the documentation and code of each tool.
const TABLE: &[Row] = &[
    row(
        "Underpin",
        Place::Annotation,
        Reading::AnyCase,
        names::PROTECT_ANNOTATION,
        "keep",
    ),
    row(
        "Helm",
        Place::Annotation,
        Reading::AnyCase,
        "helm.sh/resource-policy",
        "keep",
    ),
    row(
        "Argo CD",
        Place::Annotation,
        Reading::List,
        ARGO_OPTIONS,
        "Prune=false",
    ),
    row(
        "Argo CD",
        Place::Annotation,
        Reading::List,
        ARGO_OPTIONS,
        "Delete=false",
    ),
    row(
        "Argo CD",
        Place::Annotation,
        Reading::List,
        ARGO_OPTIONS,
        "Prune=confirm",
    ),
    row(
        "Argo CD",
        Place::Annotation,
        Reading::List,
        ARGO_OPTIONS,
        "Delete=confirm",
    ),
    row(
        "Flux",
        Place::Either,
        Reading::AnyCase,
        "kustomize.toolkit.fluxcd.io/prune",
        "disabled",
    ),
    // What is not reconciled is not pruned either.
    row(
        "Flux",
        Place::Either,
        Reading::AnyCase,
        "kustomize.toolkit.fluxcd.io/reconcile",
        "disabled",
    ),
    row(
        "kapp",
        Place::Annotation,
        Reading::Exact,
        "kapp.k14s.io/delete-strategy",
        "orphan",
    ),
    row(
        "cli-utils",
        Place::Annotation,
        Reading::Exact,
        "cli-utils.sigs.k8s.io/on-remove",
        "keep",
    ),
    row(
        "cli-utils",
        Place::Annotation,
        Reading::Exact,
        "client.lifecycle.config.k8s.io/deletion",
        "detach",
    ),
    row("OpenKruise", Place::Label, Reading::Exact, KRUISE, "Always"),
    Row {
        cascading_only: true,
        ..row(
            "OpenKruise",
            Place::Label,
            Reading::Exact,
            KRUISE,
            "Cascading",
        )
    },
    row(
        "werf",
        Place::Annotation,
        Reading::List,
        WERF,
        "skip-delete",
    ),
    row("werf", Place::Annotation, Reading::List, WERF, "keep"),
    Row {
        from_delete: false,
        ..row(
            "werf",
            Place::Annotation,
            Reading::List,
            WERF,
            "skip-recreate",
        )
    },
    row(
        "kluctl",
        Place::Annotation,
        Reading::True,
        "kluctl.io/skip-delete",
        "true",
    ),
    row(
        "Timoni",
        Place::Either,
        Reading::AnyCase,
        "action.timoni.sh/prune",
        "disabled",
    ),
    row(
        "Gardener",
        Place::Annotation,
        Reading::True,
        "resources.gardener.cloud/keep-object",
        "true",
    ),
    row(
        "Gardener",
        Place::Label,
        Reading::True,
        GARDENER_PROTECTED,
        "true",
    ),
    row(
        "Karmada",
        Place::Label,
        Reading::Exact,
        "resourcetemplate.karmada.io/deletion-protected",
        "Always",
    ),
    row(
        "Crossplane",
        Place::Label,
        Reading::Exact,
        "protection.fn.crossplane.io/block-deletion",
        "true",
    ),
    row(
        "Crossplane",
        Place::Label,
        Reading::Exact,
        "crossplane.io/in-use",
        "true",
    ),
];

/// Kinds of Gardener that cannot be deleted before the deletion is confirmed by annotation.
const GARDENER_CONFIRMED_KINDS: &[(&str, &str)] = &[
    ("core.gardener.cloud", "Project"),
    ("core.gardener.cloud", "Shoot"),
    ("operator.gardener.cloud", "Garden"),
];

/// Every protection on the object, by its metadata, in the order of the table.
pub fn protections(object: &Object) -> Vec<Protection> {
    let confirmed = object
        .annotation(GARDENER_CONFIRMATION)
        .is_some_and(|value| Reading::True.says(value, "true"));
    let by_value = TABLE
        .iter()
        .filter(|row| row.stands_on(object))
        .filter(|row| row.key != GARDENER_PROTECTED || !confirmed)
        .map(Row::protection);
    let kind = &object.key.kind;
    let by_absence = GARDENER_CONFIRMED_KINDS
        .iter()
        .any(|(group, name)| kind.is(group, name))
        && !confirmed;
    by_value.chain(by_absence.then(unconfirmed)).collect()
}

/// The protection that a claim recorded as `key`, in the text of [`Protection::key`]. A text that
/// is not known still protects from deletion and replacement: it was recorded for that.
pub fn protection_from_key(key: &str) -> Protection {
    if key == unconfirmed().key {
        return unconfirmed();
    }
    let known = TABLE.iter().find(|row| row.text() == key);
    known.map_or_else(
        || Protection {
            key: key.to_owned(),
            tool: "unknown",
            from_delete: true,
            from_replace: true,
            cascading_only: false,
        },
        Row::protection,
    )
}

fn unconfirmed() -> Protection {
    Protection {
        key: format!("{GARDENER_CONFIRMATION} is absent"),
        tool: "Gardener",
        from_delete: true,
        from_replace: true,
        cascading_only: false,
    }
}

impl Row {
    fn text(&self) -> String {
        format!("{}={}", self.key, self.value)
    }

    fn protection(&self) -> Protection {
        Protection {
            key: self.text(),
            tool: self.tool,
            from_delete: self.from_delete,
            from_replace: true,
            cascading_only: self.cascading_only,
        }
    }

    fn stands_on(&self, object: &Object) -> bool {
        let says =
            |value: Option<&str>| value.is_some_and(|value| self.reading.says(value, self.value));
        match self.place {
            Place::Annotation => says(object.annotation(self.key)),
            Place::Label => says(object.label(self.key)),
            Place::Either => says(object.annotation(self.key)) || says(object.label(self.key)),
        }
    }
}

impl Reading {
    fn says(self, value: &str, wanted: &str) -> bool {
        match self {
            Self::Exact => value == wanted,
            Self::AnyCase => value.trim().eq_ignore_ascii_case(wanted),
            Self::List => value.split(',').any(|item| item.trim() == wanted),
            Self::True => matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True"),
        }
    }
}
