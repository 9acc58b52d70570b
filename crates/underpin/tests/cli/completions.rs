//! `underpin completions` and `underpin man`: what the shell and `man` are told.

use std::{fs, io::ErrorKind, path::Path, process::Command};

use clap::CommandFactory as _;

use crate::harness::{check, underpin, underpin_in};

/// Commands that people are shown.
fn visible() -> Vec<String> {
    let all = underpin::Cli::command();
    let visible = all.get_subcommands().filter(|one| !one.is_hide_set());
    visible.map(|one| one.get_name().to_owned()).collect()
}

#[test]
fn the_script_of_every_shell_knows_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ended = underpin("no-stack", &format!("completions {shell}")).end();
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{shell}");
        for command in visible() {
            assert!(ended.stdout.contains(&command), "{shell}: {command}");
        }
        assert!(ended.stdout.contains("detailed-exitcode"), "{shell}");
        // The hidden command's word is part of others: look for its help.
        assert!(!ended.stdout.contains("manual pages"), "{shell}");
    }
    check(
        "help_completions",
        0,
        underpin("no-stack", "completions --help"),
    );
    check(
        "completions_missing_shell",
        2,
        underpin("no-stack", "completions"),
    );
    check(
        "completions_unknown_shell",
        2,
        underpin("no-stack", "completions csh"),
    );
}

/// What bash offers after these words; `None` where there is no bash.
fn offered(words: &str) -> Option<Vec<String>> {
    let script = underpin("no-stack", "completions bash").end().stdout;
    let ask = format!(
        "set -u\n{script}\nCOMP_WORDS=(underpin {words})\nCOMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
         last=${{COMP_WORDS[COMP_CWORD]}}\n\
         _underpin underpin \"$last\" \"${{COMP_WORDS[COMP_CWORD - 1]}}\"\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    );
    match Command::new("bash").args(["--norc", "-c", &ask]).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        ended => {
            let ended = ended.unwrap();
            let told = String::from_utf8(ended.stderr).unwrap();
            assert!(ended.status.success() && told.is_empty(), "{told}");
            let offers = String::from_utf8(ended.stdout).unwrap();
            Some(offers.lines().map(str::to_owned).collect())
        }
    }
}

#[test]
fn bash_completes_commands_flags_and_values() {
    for (words, expected) in [
        ("pl", &["plan"][..]),
        ("plan --det", &["--detailed-exitcode"]),
        ("plan --output ''", &["text", "json"]),
        ("completions z", &["zsh"]),
    ] {
        if let Some(offers) = offered(words) {
            assert_eq!(offers, expected, "{words}");
        }
    }
}

#[test]
fn every_visible_command_has_a_manual_page() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("man");
    // What a former run left would prove nothing.
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    let ended = underpin_in(&folder_of_tests(), &["man", folder.to_str().unwrap()]).end();
    assert_eq!(ended.code, 0, "{}", ended.transcript());
    assert_eq!(ended.transcript().lines().count(), 2, "it says nothing");
    let mut expected: Vec<String> = visible()
        .iter()
        .map(|command| format!("underpin-{command}.1"))
        .chain(["underpin.1".to_owned()])
        .collect();
    expected.sort();
    let mut written: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    written.sort();
    // A command below a command has a page of its own beside its parent's.
    let known = |name: &String| {
        expected
            .iter()
            .any(|page| name.starts_with(page.trim_end_matches(".1")))
    };
    assert!(written.iter().all(known), "{written:?}");
    for name in &expected {
        let page = fs::read_to_string(folder.join(name)).unwrap();
        for part in [".TH underpin", ".SH SYNOPSIS", ".SH \"EXIT STATUS\""] {
            assert!(page.contains(part), "{name}: {part}\n{page}");
        }
    }
    let page = fs::read_to_string(folder.join("underpin-explain.1")).unwrap();
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.add_filter(env!("CARGO_PKG_VERSION"), "[version]");
    settings.bind(|| insta::assert_snapshot!("man_explain", page));
}

#[test]
fn manual_pages_need_a_folder() {
    let inside_a_file = ["man", "underpin.yaml/man"];
    let ended = underpin_in(&crate::harness::fixtures().join("single"), &inside_a_file).end();
    assert_eq!(ended.code, 1, "{}", ended.transcript());
    assert!(
        ended
            .stderr
            .starts_with("error: cannot write underpin.yaml/man: "),
        "{}",
        ended.stderr
    );
}

fn folder_of_tests() -> std::path::PathBuf {
    crate::harness::fixtures().join("no-stack")
}

/// As a plugin of kubectl it is called by another name, and says so.
#[cfg(unix)]
#[test]
fn kubectl_underpin_is_what_it_calls_itself_as_a_plugin() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin");
    fs::create_dir_all(&folder).unwrap();
    let plugin = folder.join("kubectl-underpin");
    if plugin.symlink_metadata().is_ok() {
        fs::remove_file(&plugin).unwrap();
    }
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_underpin"), &plugin).unwrap();
    let said = |arguments: &[&str]| {
        let output = Command::new(&plugin).args(arguments).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let usage = "Usage: kubectl underpin plan [OPTIONS]";
    assert!(said(&["plan", "--help"]).contains(usage));
    assert!(said(&["plan", "--nonsense"]).contains(usage));
    assert_eq!(
        said(&["--version"]),
        format!("underpin {}\n", env!("CARGO_PKG_VERSION"))
    );
}
