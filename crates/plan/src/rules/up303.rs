#![doc = include_str!("docs/UP303.md")]

use underpin_model::Code;

use crate::rules::Rule;

/// The rule's code.
pub const CODE: Code = underpin_image::PIN_UNRESOLVED;

/// The rule. It is about a registry, not about objects of a cluster.
/// What it finds is said by [`underpin_image::pins_unresolved`].
pub const RULE: Rule = Rule {
    code: CODE,
    name: "pin-unresolved",
    summary: "a pin keeps nothing of the registry",
    documentation: include_str!("docs/UP303.md"),
    check: None,
    survey: None,
};
