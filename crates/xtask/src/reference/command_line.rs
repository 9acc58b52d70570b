//! The reference of the command line: every command with its arguments, from the very tree that
//! the program parses with.

use clap::{Arg, Command, CommandFactory as _};
use underpin::Exit;

use super::NOTICE;
use crate::book::slug;

/// The whole page, in Markdown.
pub(crate) fn page() -> String {
    // `help` only repeats what the page says.
    let mut root = underpin::Cli::command().disable_help_subcommand(true);
    root.build();
    let commands = shown(&root);
    let mut text = format!("# Command line\n\n{NOTICE}\n\n");
    text.push_str(&about(&root));
    text.push_str("| command | what it does |\n|---|---|\n");
    for (path, command) in &commands {
        let brief = command.get_about().map(ToString::to_string);
        let brief = prose(&brief.unwrap_or_default()).replace('|', "\\|");
        text.push_str(&format!("| [`{path}`](#{}) | {brief} |\n", slug(path)));
    }
    text.push_str(
        "\nEvery command also takes `-h` for a summary, `--help` for the whole help and ",
    );
    text.push_str("`-V`, `--version`.\n");
    for (path, command) in &commands {
        text.push_str(&section(path, command));
    }
    text.push_str(&documents());
    text.push_str(&exit_codes());
    text
}

/// Every command that is not hidden, with what one types to call it, depth first.
fn shown(root: &Command) -> Vec<(String, &Command)> {
    let mut left = vec![(root.get_name().to_owned(), root)];
    let mut commands = Vec::new();
    while let Some((path, command)) = left.pop() {
        let below: Vec<_> = command
            .get_subcommands()
            .filter(|one| !one.is_hide_set())
            .map(|one| (format!("{path} {}", one.get_name()), one))
            .collect();
        left.extend(below.into_iter().rev());
        commands.push((path, command));
    }
    // The program itself is what the page begins with.
    commands.remove(0);
    commands
}

fn section(path: &str, command: &Command) -> String {
    let mut text = format!("\n## `{path}`\n\n{}", about(command));
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    text.push_str(&format!("```text\n{usage}\n```\n"));
    let (positional, options): (Vec<&Arg>, Vec<&Arg>) = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set())
        .filter(|argument| !["help", "version"].contains(&argument.get_id().as_str()))
        .partition(|argument| argument.is_positional());
    for (title, arguments) in [("Arguments", positional), ("Options", options)] {
        if !arguments.is_empty() {
            text.push_str(&format!("\n{title}:\n\n"));
        }
        for argument in arguments {
            text.push_str(&item(argument));
        }
    }
    text
}

/// The long description, a blank line after each paragraph.
fn about(command: &Command) -> String {
    let text = command.get_long_about().or_else(|| command.get_about());
    let text = text.map(ToString::to_string).unwrap_or_default();
    let paragraphs: Vec<String> = prose(&text).split("\n\n").map(sentence).collect();
    format!("{}\n\n", paragraphs.join("\n\n"))
}

/// One argument as an item of a list: how it is written, what it means, what it may be.
fn item(argument: &Arg) -> String {
    let written = argument.to_string();
    let short = argument.get_short();
    let short = short.map(|short| format!("`-{short}`, "));
    let help = argument.get_long_help().or_else(|| argument.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let short = short.unwrap_or_default();
    let mut text = format!(
        "- {short}`{written}`: {}",
        indented(&sentence(&prose(&help)))
    );
    for fact in facts(argument) {
        text.push_str(&format!(" {fact}"));
    }
    text.push('\n');
    // A switch has values for the parser only.
    if argument.get_action().takes_values() {
        for value in argument.get_possible_values() {
            if value.is_hide_set() {
                continue;
            }
            let help = value.get_help().map(|help| prose(&help.to_string()));
            let help = help.map(|help| format!(": {help}"));
            text.push_str(&format!(
                "  - `{}`{}\n",
                value.get_name(),
                help.unwrap_or_default()
            ));
        }
    }
    text
}

/// What else is to be known of an argument.
fn facts(argument: &Arg) -> Vec<String> {
    let mut facts = Vec::new();
    if argument.is_required_set() && !argument.is_positional() {
        facts.push("Required.".to_owned());
    }
    let defaults: Vec<_> = argument
        .get_default_values()
        .iter()
        .map(|value| format!("`{}`", value.to_string_lossy()))
        .collect();
    if argument.get_action().takes_values()
        && !defaults.is_empty()
        && !argument.is_hide_default_value_set()
    {
        facts.push(format!("Default: {}.", defaults.join(", ")));
    }
    if let Some(variable) = argument.get_env() {
        let variable = variable.to_string_lossy();
        facts.push(format!("Environment variable: `{variable}`."));
    }
    facts
}

fn documents() -> String {
    let rows = underpin::command_schemas().iter().map(|one| {
        let (command, file) = (one.command, one.file());
        format!("| `underpin {command}` | `schemas/{file}` |\n")
    });
    format!(
        "\n## Output for programs\n\nWith `--output json`, a command writes one document, on \
         errors too. Its field `schema` names the JSON Schema that it keeps to, which is in the \
         repository; `exit` is the exit code. Within a version no field is renamed and none goes, \
         and new ones may come.\n\n| command | schema |\n|---|---|\n{}",
        rows.collect::<String>()
    )
}

fn exit_codes() -> String {
    let rows = Exit::ALL.map(|exit| format!("| {} | {} |\n", exit.code(), prose(exit.meaning())));
    format!(
        "\n## Exit codes\n\n| code | meaning |\n|---|---|\n{}",
        rows.concat()
    )
}

/// The program's plain words as Markdown: what stands between backticks stays, and nothing else is
/// taken for markup.
fn prose(text: &str) -> String {
    let mut code = false;
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        code ^= character == '`';
        if !code && matches!(character, '<' | '*' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// With the full stop that the argument parser takes away.
fn sentence(text: &str) -> String {
    let text = text.trim_end();
    if text.is_empty() || text.ends_with(['.', ':', '!', '?']) {
        text.to_owned()
    } else {
        format!("{text}.")
    }
}

/// Further lines of an item belong to it.
fn indented(text: &str) -> String {
    text.replace('\n', "\n  ").replace("\n  \n", "\n\n")
}

#[cfg(test)]
mod tests {
    use clap::{Command, arg};

    use super::*;

    #[test]
    fn every_visible_command_and_flag_is_on_the_page() {
        let page = page();
        let mut root = underpin::Cli::command().disable_help_subcommand(true);
        root.build();
        for (path, command) in shown(&root) {
            assert!(page.contains(&format!("\n## `{path}`\n")), "{path}");
            for long in command.get_arguments().filter_map(Arg::get_long) {
                assert!(page.contains(&format!("`--{long}")), "{path} --{long}");
            }
        }
        assert!(!page.contains("## `underpin man`"));
    }

    #[test]
    fn commands_below_commands_come_after_theirs() {
        let mut root = Command::new("a")
            .subcommand(Command::new("b").subcommands([Command::new("c"), Command::new("d")]))
            .subcommand(Command::new("hidden").hide(true))
            .subcommand(Command::new("e"))
            .disable_help_subcommand(true);
        root.build();
        let paths: Vec<_> = shown(&root).into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["a b", "a b c", "a b d", "a e"]);
    }

    #[track_caller]
    fn check(argument: Arg, expected: &str) {
        let mut command = Command::new("a").arg(argument.id("x"));
        command.build();
        let built = command.get_arguments().find(|one| one.get_id() == "x");
        assert_eq!(item(built.unwrap()), expected);
    }

    #[test]
    fn an_argument_tells_defaults_values_and_variables() {
        check(arg!(-y --yes "Do <it>."), "- `-y`, `--yes`: Do \\<it>.\n");
        check(
            arg!(--port <N> "The `<N>`th\nport").default_value("1"),
            "- `--port <N>`: The `<N>`th\n  port. Default: `1`.\n",
        );
        check(
            arg!(--to <X> "Whom.")
                .required(true)
                .value_parser(["a", "b"])
                .env("TO"),
            "- `--to <X>`: Whom. Required. Environment variable: `TO`.\n  - `a`\n  - `b`\n",
        );
    }
}
