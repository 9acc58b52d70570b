#![doc = include_str!("docs/UP304.md")]

use underpin_image::FLOATING_TAG_UNPROTECTED;

use crate::rules::Rule;

/// The rule. What it finds is found in a plan for a registry.
pub const RULE: Rule = Rule {
    code: FLOATING_TAG_UNPROTECTED,
    name: "floating-tag-unprotected",
    summary: "a tag that is moved and that an image policy follows is kept by nothing but what runs",
    documentation: include_str!("docs/UP304.md"),
    check: None,
    survey: None,
};
