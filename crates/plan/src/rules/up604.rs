#![doc = include_str!("docs/UP604.md")]

use underpin_model::Code;

use crate::rules::Rule;

/// The rule's code.
pub const CODE: Code = Code(604);

/// The rule. What it finds shows once all other rules have spoken: see [`crate::suppression`].
pub const RULE: Rule = Rule {
    code: CODE,
    name: "unused-suppression",
    summary: "a comment suppresses a finding that is not there",
    documentation: include_str!("docs/UP604.md"),
    check: None,
    survey: None,
};
