#![doc = include_str!("docs/UP302.md")]

use underpin_image::GOLIVE_IMAGE_MISSING;

use crate::rules::Rule;

/// The rule. What it finds is found where a release is about to be resumed.
pub const RULE: Rule = Rule {
    code: GOLIVE_IMAGE_MISSING,
    name: "golive-image-missing",
    summary: "a release would not find its image if it were resumed",
    documentation: include_str!("docs/UP302.md"),
    check: None,
    survey: None,
};
