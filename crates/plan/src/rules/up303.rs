#![doc = include_str!("docs/UP303.md")]

use underpin_image::PIN_UNRESOLVED;

use crate::rules::Rule;

/// The rule. What it finds is found in a plan for a registry.
pub const RULE: Rule = Rule {
    code: PIN_UNRESOLVED,
    name: "pin-unresolved",
    summary: "a line of a pins file keeps nothing",
    documentation: include_str!("docs/UP303.md"),
    check: None,
    survey: None,
};
