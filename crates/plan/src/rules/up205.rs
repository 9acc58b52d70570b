#![doc = include_str!("docs/UP205.md")]

use underpin_model::{Code, Finding, Severity};
use underpin_route::{Answer, StrangerAnswer, stranger_answers};

use crate::{Survey, edge::Configuration, rules::Rule};

/// The rule's code.
pub const CODE: Code = Code(205);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "catch-all-not-loud",
    summary: "a configuration of the proxy answers unknown hosts as if all were well",
    documentation: include_str!("docs/UP205.md"),
    check: None,
    survey: Some(survey),
};

fn survey(survey: &Survey<'_>) -> Vec<Finding> {
    let configurations = survey.edge.configurations.iter();
    configurations.flat_map(of_configuration).collect()
}

fn of_configuration(configuration: &Configuration) -> Vec<Finding> {
    let Ok(answers) = stranger_answers(&configuration.value) else {
        return Vec::new();
    };
    let told = answers.iter().filter(|one| !one.answer.is_loud());
    told.map(|answer| finding(configuration, answer)).collect()
}

fn finding(configuration: &Configuration, found: &StrangerAnswer) -> Finding {
    let StrangerAnswer {
        at,
        answer,
        certain,
        request,
    } = found;
    let is_open = matches!(answer, Answer::Upstream | Answer::Unknown(_));
    let severity = match answer {
        _ if is_open || !certain => Severity::Warn,
        Answer::Failure { .. } => Severity::Warn,
        _ => Severity::Block,
    };
    let file = &configuration.file;
    let message = format!("{file} lets unknown hosts pass for known ones: at {at}, {answer}");
    let subject = format!("{file}:{at}");
    let mut finding = Finding::new(CODE, severity, subject, message);
    finding.unknown = is_open || !certain;
    finding.place = Some(configuration.place_of(at));
    finding.message.push_str(&format!(" (asked: {request})"));
    finding.help = vec![help(answer).to_owned()];
    finding
}

fn help(answer: &Answer) -> &'static str {
    match answer {
        Answer::AutomaticRedirect => {
            "add a site `http:// { respond 503 }`, with Retry-After and Cache-Control: no-store: \
             Caddy redirects unknown hosts only where nothing else answers them"
        }
        Answer::Failure { .. } => {
            "leave Strict-Transport-Security out of the answer to unknown hosts"
        }
        Answer::Upstream => {
            "if the upstream answers unknown hosts with an error, all is well; else answer them here, \
             with 503"
        }
        _ => {
            "answer unknown hosts with 503, Retry-After and Cache-Control: no-store, last of all \
             routes and without a matcher"
        }
    }
}
