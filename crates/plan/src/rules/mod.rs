//! The rules: a file each, listed in one table that also generates help and documentation.

use underpin_model::{Code, Finding};

use crate::{context::Context, survey::Survey};

pub mod up101;
pub mod up102;
pub mod up103;
pub mod up104;
pub mod up105;
pub mod up106;
pub mod up107;
pub mod up108;
pub mod up109;
pub mod up110;
pub mod up111;
pub mod up112;
pub mod up113;
pub mod up201;
pub mod up202;
pub mod up203;
pub mod up204;
pub mod up205;
pub mod up301;
pub mod up302;
pub mod up303;
pub mod up304;
pub mod up401;
pub mod up402;
pub mod up403;
pub mod up405;
pub mod up406;
pub mod up601;
pub mod up602;
pub mod up603;
pub mod up604;
pub mod up605;

/// One rule.
pub struct Rule {
    /// Its code, a public contract.
    pub code: Code,
    /// Its short name.
    pub name: &'static str,
    /// One sentence: when it is found.
    pub summary: &'static str,
    /// Its page: what it finds, why it matters, an example, the way out. Markdown.
    pub documentation: &'static str,
    /// Finds it in a plan, if it can be told of one.
    pub check: Option<fn(&Context<'_>) -> Vec<Finding>>,
    /// Finds it in declared files that nobody has planned to apply, if it can be told of them.
    pub survey: Option<fn(&Survey<'_>) -> Vec<Finding>>,
}

impl Rule {
    /// Whether it is about what the edge serves.
    pub fn is_of_the_edge(&self) -> bool {
        (200..300).contains(&self.code.0)
    }
}

/// Every rule, by code.
pub const RULES: &[Rule] = &[
    up101::RULE,
    up102::RULE,
    up103::RULE,
    up104::RULE,
    up105::RULE,
    up106::RULE,
    up107::RULE,
    up108::RULE,
    up109::RULE,
    up110::RULE,
    up111::RULE,
    up112::RULE,
    up113::RULE,
    up201::RULE,
    up202::RULE,
    up203::RULE,
    up204::RULE,
    up205::RULE,
    up301::RULE,
    up302::RULE,
    up303::RULE,
    up304::RULE,
    up401::RULE,
    up402::RULE,
    up403::RULE,
    up405::RULE,
    up406::RULE,
    up601::RULE,
    up602::RULE,
    up603::RULE,
    up604::RULE,
    up605::RULE,
];

/// The rule with a code.
pub fn rule(code: Code) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.code == code)
}
