//! The commands that pages show: the program must understand each of them.

use clap::{CommandFactory as _, error::ErrorKind};

use super::{Page, markdown::unfenced};

/// What ends a command in a shell's line.
const ENDS: [&str; 6] = [" #", " |", " >", " &&", " ||", ";"];
/// The program, as pages call it.
const PROGRAM: &str = "underpin";

pub(super) fn check(pages: &[Page]) -> Vec<String> {
    let mut problems = Vec::new();
    for page in pages {
        for (line, words) in shown(&page.text) {
            if let Some(problem) = problem(&words) {
                let command = words.join(" ");
                problems.push(format!("{}:{line}: {command}: {problem}", page.path));
            }
        }
    }
    problems
}

/// What the argument parser has against a command.
fn problem(words: &[String]) -> Option<String> {
    let error = underpin::Cli::command().try_get_matches_from(words).err()?;
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return None;
    }
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    Some(first.trim_start_matches("error: ").to_owned())
}

/// The commands of blocks of a shell, with their lines from 1. In a `console` block they follow a
/// prompt, in an `sh` block every line is one.
fn shown(text: &str) -> Vec<(usize, Vec<String>)> {
    let mut commands = Vec::new();
    let mut prompt = None;
    let mut lines = unfenced(text).enumerate();
    while let Some((index, (line, fenced))) = lines.next() {
        if !fenced {
            prompt = None;
            continue;
        }
        if let Some(language) = line.trim_start().strip_prefix("```") {
            prompt = match language {
                "console" => Some("$ "),
                "sh" | "bash" => Some(""),
                _ => None,
            };
            continue;
        }
        let Some(first) = prompt.and_then(|prompt| line.trim_start().strip_prefix(prompt)) else {
            continue;
        };
        let mut command = first.to_owned();
        while command.ends_with('\\') {
            command.pop();
            let Some((_, (further, _))) = lines.next() else {
                break;
            };
            command.push_str(further.trim_start());
        }
        if let Some(words) = called(&command) {
            commands.push((index + 1, words));
        }
    }
    commands
}

/// The words of a line that calls the program, from its name on.
fn called(line: &str) -> Option<Vec<String>> {
    let end = ENDS.iter().filter_map(|end| line.find(end)).min();
    let words = words(&line[..end.unwrap_or(line.len())]);
    let is_assignment = |word: &&String| word.contains('=') && !word.starts_with('-');
    let start = words.iter().take_while(is_assignment).count();
    let words = words.get(start..)?;
    (words.first()? == PROGRAM).then(|| words.to_vec())
}

/// Words of a shell: between blanks, except where quoted.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in line.chars() {
        match (quote, character) {
            (Some(open), end) if open == end => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_words_together() {
        assert_eq!(
            words("a  'b c' --d=\"e f\" ''"),
            ["a", "b c", "--d=e f", ""]
        );
    }
}
