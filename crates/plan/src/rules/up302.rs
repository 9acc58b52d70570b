#![doc = include_str!("docs/UP302.md")]

use underpin_model::Code;

use crate::rules::Rule;

/// The rule's code.
pub const CODE: Code = underpin_image::GOLIVE_IMAGE_MISSING;

/// The rule. It is about a registry, not about objects of a cluster.
/// What it finds is said by [`underpin_image::resume_findings`].
pub const RULE: Rule = Rule {
    code: CODE,
    name: "golive-image-missing",
    summary: "a suspended release would not find its tag, digest, platform or layer at its resume",
    documentation: include_str!("docs/UP302.md"),
    check: None,
    survey: None,
};
