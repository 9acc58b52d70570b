use clap::Args;
use underpin_model::Code;
use underpin_plan::rules::{RULES, rule};

use super::write;
use crate::{Exit, error::CommandError, output::Format, render};

/// Show a rule's documentation, or list the rules
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The rule, such as UP101; all rules are listed without it.
    #[arg(value_name = "CODE")]
    code: Option<Code>,
    /// Output for people (text) or for programs (json).
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
}

pub(crate) fn explain(args: &ExplainArgs) -> Result<Exit, CommandError> {
    let rules: Vec<_> = match args.code {
        Some(code) => vec![rule(code).ok_or_else(|| {
            CommandError::usage(
                format!("there is no rule {code}"),
                "`underpin explain` lists them",
            )
        })?],
        None => RULES.iter().collect(),
    };
    write(&match args.output {
        Format::Json => render::json::rules(&rules),
        Format::Text if args.code.is_some() => {
            format!("{}\n", rules[0].documentation.trim_end())
        }
        Format::Text => rules
            .iter()
            .map(|rule| format!("{}  {:<24} {}\n", rule.code, rule.name, rule.summary))
            .collect(),
    })?;
    Ok(Exit::Done)
}
