//! What evaluation shares: files, modules, bounds, diagnostics.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use camino::Utf8PathBuf;
use hcl_edit::expr::Expression;
use underpin_model::Place;

use super::{
    confines::Confines,
    failure::Failure,
    instance::{Instance, Repetition},
    load::Module,
    text::{FileId, Site, Texts},
    value::Value,
};
use crate::Diagnostic;

/// Steps that one reading may take, a step being an expression, or [`BYTES_PER_STEP`] of a value that
/// is walked through.
const MAX_STEPS: u64 = 10_000_000;
/// How much of a value is one step.
const BYTES_PER_STEP: u64 = 64;
/// Deepest nesting of evaluations, through locals, variables and modules. The thread that evaluates
/// has the stack for it, see [`super::read`].
const MAX_EVALUATION_DEPTH: u32 = 2_000;
/// Most problems that are told of.
const MAX_DIAGNOSTICS: usize = 1_000;

pub(super) type Outcome = Result<Value, Failure>;

/// One reading.
pub(super) struct Engine<'a> {
    pub(super) texts: &'a Texts,
    pub(super) modules: &'a BTreeMap<Utf8PathBuf, Module>,
    pub(super) confines: &'a Confines,
    pub(super) workspace: Option<&'a str>,
    diagnostics: RefCell<BTreeSet<Problem>>,
    steps: Cell<u64>,
    depth: Cell<u32>,
}

/// Ordered, so that a problem met in several instances is told of once.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    place: Place,
    message: String,
    help: Option<String>,
}

/// What names mean at some place.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s, 'a> {
    pub(super) instance: &'s Rc<Instance<'a>>,
    /// The file in which the expression is written; `None` if its places are not kept.
    pub(super) file: Option<FileId>,
    /// Where in the file its text begins.
    pub(super) shift: usize,
    pub(super) names: Option<&'s Name<'s>>,
    /// Whether names other than `names` mean nothing, as in a file for `templatefile`.
    pub(super) closed: bool,
}

/// A name of the innermost scopes: of `for`, `each`, `count`, `dynamic`.
pub(super) struct Name<'s> {
    pub(super) word: &'s str,
    pub(super) value: Value,
    pub(super) up: Option<&'s Name<'s>>,
}

impl<'s, 'a> Scope<'s, 'a> {
    pub(super) fn of(instance: &'s Rc<Instance<'a>>, file: FileId) -> Self {
        Self {
            instance,
            file: Some(file),
            shift: 0,
            names: None,
            closed: false,
        }
    }

    /// The same with another name.
    pub(super) fn with<'t>(self, name: &'t Name<'t>) -> Scope<'t, 'a>
    where
        's: 't,
    {
        Scope {
            instance: self.instance,
            file: self.file,
            shift: self.shift,
            names: Some(name),
            closed: self.closed,
        }
    }

    pub(super) fn name(&self, name: &str) -> Option<&'s Value> {
        let mut at = self.names;
        while let Some(entry) = at {
            if entry.word == name {
                return Some(&entry.value);
            }
            at = entry.up;
        }
        None
    }

    pub(super) fn site(&self, span: Option<std::ops::Range<usize>>) -> Option<Site> {
        Some(Site {
            file: self.file?,
            offset: u32::try_from(span?.start + self.shift).ok()?,
        })
    }

    pub(super) fn site_of(&self, expression: &Expression) -> Option<Site> {
        self.site(hcl_edit::Span::span(expression))
    }
}

impl<'a> Engine<'a> {
    pub(super) fn new(
        texts: &'a Texts,
        modules: &'a BTreeMap<Utf8PathBuf, Module>,
        confines: &'a Confines,
        workspace: Option<&'a str>,
    ) -> Self {
        Self {
            texts,
            modules,
            confines,
            workspace,
            diagnostics: RefCell::default(),
            steps: Cell::new(MAX_STEPS),
            depth: Cell::new(0),
        }
    }

    /// Counts one step.
    pub(super) fn step(&self) -> Result<(), Failure> {
        self.spend(1)
    }

    /// Counts the steps that `bytes` of values cost.
    pub(super) fn spend_bytes(&self, bytes: u64) -> Result<(), Failure> {
        self.spend(1 + bytes / BYTES_PER_STEP)
    }

    fn spend(&self, steps: u64) -> Result<(), Failure> {
        if let Some(left) = self.steps.get().checked_sub(steps) {
            self.steps.set(left);
            return Ok(());
        }
        self.steps.set(0);
        Err(Failure::fatal(format!(
            "evaluating these files takes more than {MAX_STEPS} steps"
        ))
        .with_help(
            "look for expressions that multiply each other; what was not reached counts as unknown",
        ))
    }

    /// Runs one level deeper.
    pub(super) fn deeper<T>(&self, run: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        let depth = self.depth.get();
        if depth >= MAX_EVALUATION_DEPTH {
            return Err(Failure::fatal(format!(
                "expressions refer to each other more than {MAX_EVALUATION_DEPTH} levels deep"
            )));
        }
        self.depth.set(depth + 1);
        let result = run();
        self.depth.set(depth);
        result
    }

    pub(super) fn report(&self, diagnostic: Diagnostic) {
        let mut all = self.diagnostics.borrow_mut();
        if all.len() < MAX_DIAGNOSTICS {
            all.insert(Problem {
                place: diagnostic.place,
                message: diagnostic.message,
                help: diagnostic.help,
            });
        }
    }

    /// Reports a failure at its own place, or else at this one, and says why its value is unknown.
    pub(super) fn fail(&self, failure: &Failure, site: Option<Site>, fallback: &Place) -> String {
        let details = failure.details();
        let place = details
            .site
            .or(site)
            .and_then(|site| self.texts.place(site))
            .unwrap_or_else(|| fallback.clone());
        let reason = format!("{} ({place})", details.message);
        self.report(Diagnostic {
            place,
            message: details.message.clone(),
            help: details.help.clone(),
        });
        reason
    }

    /// The problems in the order of their places.
    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        let all = self.diagnostics.into_inner();
        all.into_iter()
            .map(|problem| Diagnostic {
                place: problem.place,
                message: problem.message,
                help: problem.help,
            })
            .collect()
    }
}

/// Evaluates in the scope that a repetition opens.
pub(super) fn within<'i, T>(
    scope: Scope<'_, 'i>,
    repetition: &Repetition,
    run: impl FnOnce(Scope<'_, 'i>) -> T,
) -> T {
    match repetition.name() {
        None => run(scope),
        Some((name, value)) => {
            let name = Name {
                word: name,
                value,
                up: scope.names,
            };
            run(scope.with(&name))
        }
    }
}
