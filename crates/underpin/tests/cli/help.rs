//! Help texts: they are the reference of the command line.

use crate::harness::{check, underpin};

#[test]
fn help_of_every_command() {
    check("help", 0, underpin("single", "--help"));
    for command in [
        "check", "plan", "up", "down", "import", "status", "history", "diff", "rbac", "sandbox",
        "explain",
    ] {
        let run = underpin("single", &format!("{command} --help"));
        check(&format!("help_{command}"), 0, run);
    }
}

#[test]
fn no_command_shows_the_help_and_is_wrong_usage() {
    check("help_missing_command", 2, underpin("single", ""));
}
