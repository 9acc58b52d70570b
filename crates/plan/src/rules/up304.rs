#![doc = include_str!("docs/UP304.md")]

use underpin_model::Code;

use crate::rules::Rule;

/// The rule's code.
pub const CODE: Code = underpin_image::FLOATING_TAG_UNPROTECTED;

/// The rule. It is about a registry, not about objects of a cluster.
/// What it finds is said by [`underpin_image::floating_tags_unprotected`].
pub const RULE: Rule = Rule {
    code: CODE,
    name: "floating-tag-unprotected",
    summary: "a tag that an image policy follows is kept by no pin, but at most by what runs",
    documentation: include_str!("docs/UP304.md"),
    check: None,
    survey: None,
};
