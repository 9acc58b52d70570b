#![doc = include_str!("docs/UP301.md")]

use underpin_model::Code;

use crate::rules::Rule;

/// The rule's code.
pub const CODE: Code = underpin_image::IMAGE_NEEDED;

/// The rule. It is about a registry, not about objects of a cluster.
/// What it finds in a plan is said by [`underpin_image::images_needed`].
pub const RULE: Rule = Rule {
    code: CODE,
    name: "image-needed",
    summary: "an image would be deleted that something needs",
    documentation: include_str!("docs/UP301.md"),
    check: None,
    survey: None,
};
