#![doc = include_str!("docs/UP301.md")]

use underpin_image::IMAGE_NEEDED;

use crate::rules::Rule;

/// The rule. What it finds is found in a plan for a registry.
pub const RULE: Rule = Rule {
    code: IMAGE_NEEDED,
    name: "image-needed",
    summary: "an image that something needs would be deleted from its registry",
    documentation: include_str!("docs/UP301.md"),
    check: None,
    survey: None,
};
