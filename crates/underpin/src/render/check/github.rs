//! For the log of GitHub Actions, which shows such lines beside the code. Forgejo and Gitea print them.

use underpin_model::{Finding, Place, Severity};
use underpin_source::Diagnostic;

use super::{Checked, PROBLEM, code, level};

/// One workflow command for each finding, and the summary.
pub(crate) fn github(checked: &Checked) -> String {
    let mut text: String = checked.diagnostics.iter().map(problem).collect();
    text.extend(checked.findings.iter().map(finding));
    let (errors, findings) = (checked.diagnostics.len(), checked.findings.len());
    let suppressed = checked.suppressed.len();
    text.push_str(&format!(
        "errors: {errors}, findings: {findings}, suppressed: {suppressed}\n"
    ));
    text
}

fn problem(diagnostic: &Diagnostic) -> String {
    let help = diagnostic.help.iter();
    let message = with_help(&diagnostic.message, help);
    command("error", Some(&diagnostic.place), PROBLEM, &message)
}

fn finding(finding: &Finding) -> String {
    let command_name = match finding.severity {
        Severity::Note => "notice",
        other => level(other),
    };
    let title = format!("{} {}", code(finding), finding.subject);
    let mut lines = vec![finding.message.clone()];
    lines.extend(finding.evidence.iter().map(|one| format!("because {one}")));
    let message = with_help(&lines.join("\n"), finding.help.iter());
    command(command_name, finding.place.as_ref(), &title, &message)
}

fn with_help<'h>(message: &str, help: impl Iterator<Item = &'h String>) -> String {
    let help: String = help.map(|help| format!("\nhelp: {help}")).collect();
    format!("{message}{help}")
}

fn command(name: &str, place: Option<&Place>, title: &str, message: &str) -> String {
    let mut properties = Vec::new();
    if let Some(place) = place {
        properties.push(format!("file={}", property(&place.file)));
        properties.push(format!("line={}", place.line));
        properties.push(format!("col={}", place.column));
    }
    properties.push(format!("title={}", property(title)));
    format!("::{name} {}::{}\n", properties.join(","), data(message))
}

/// A message as workflow commands hold it, on one line.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property's value, which must not end the property or the list of them either.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_command_is_escaped() {
        let place = Place {
            file: "a,b:c%.yaml".into(),
            line: 3,
            column: 5,
        };
        assert_eq!(
            command(
                "warning",
                Some(&place),
                "UP402 namespace/x",
                "100 %: a,\r\nb"
            ),
            "::warning file=a%2Cb%3Ac%25.yaml,line=3,col=5,title=UP402 namespace/x::\
             100 %25: a,%0D%0Ab\n"
        );
        assert_eq!(command("notice", None, "t", "m"), "::notice title=t::m\n");
    }
}
