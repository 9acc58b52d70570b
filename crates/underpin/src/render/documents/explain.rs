use schemars::JsonSchema;
use serde::Serialize;
use underpin_plan::rules::Rule;

/// Rules.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RulesDocument {
    /// The rules that were asked about, or all.
    rules: Vec<RuleDocument>,
}

/// A rule.
#[derive(Serialize, JsonSchema)]
struct RuleDocument {
    /// Its code, which never changes its meaning.
    code: String,
    /// Its short name.
    name: &'static str,
    /// One sentence: when it is found.
    summary: &'static str,
    /// Its page, in Markdown: what it finds, why it matters, an example, the way out.
    documentation: &'static str,
}

impl From<&[&Rule]> for RulesDocument {
    fn from(rules: &[&Rule]) -> Self {
        let rules = rules.iter().map(|rule| RuleDocument {
            code: rule.code.to_string(),
            name: rule.name,
            summary: rule.summary,
            documentation: rule.documentation,
        });
        Self {
            rules: rules.collect(),
        }
    }
}
