//! Runs the binary in a fixture and holds what it says against a snapshot.

use std::{
    env,
    fmt::Write as _,
    io::Write as _,
    panic::Location,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// One run of the binary.
pub(crate) struct Run {
    command: Command,
    shown: String,
    input: Vec<u8>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    shown: String,
}

/// The folder of all fixtures.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/fixtures")
}

/// `underpin` with arguments separated by spaces, in the folder of a fixture.
pub(crate) fn underpin(fixture: &str, arguments: &str) -> Run {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    underpin_in(&fixtures().join(fixture), &arguments)
}

/// `underpin` in any folder. It sees no environment variable of whoever runs the tests.
pub(crate) fn underpin_in(folder: &Path, arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_underpin"));
    command.current_dir(folder).args(arguments).env_clear();
    command.env("HOME", "/nonexistent");
    for kept in ["LLVM_PROFILE_FILE", "SystemRoot"] {
        if let Some(value) = env::var_os(kept) {
            command.env(kept, value);
        }
    }
    let quoted: Vec<String> = arguments
        .iter()
        .map(|one| {
            if one.is_empty() || one.contains(char::is_whitespace) {
                format!("'{one}'")
            } else {
                (*one).to_owned()
            }
        })
        .collect();
    Run {
        command,
        shown: format!("underpin {}", quoted.join(" ")),
        input: Vec::new(),
    }
}

impl Run {
    /// The same run with an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self.shown = format!("{name}={value} {}", self.shown);
        self
    }

    /// The same run with this on standard input, which is no terminal and otherwise empty.
    pub(crate) fn input(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.input = bytes.as_ref().to_vec();
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut stdin = child.stdin.take().expect("standard input is piped");
        // Whoever does not read its input may have closed it.
        let _ = stdin.write_all(&self.input);
        drop(stdin);
        let output = child.wait_with_output().expect("the binary ends");
        Ended {
            code: output.status.code().expect("no signal ended it"),
            stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
            shown: self.shown,
        }
    }
}

impl Ended {
    /// Everything a person sees.
    pub(crate) fn transcript(&self) -> String {
        let mut text = format!("$ {}\nexit code {}\n", self.shown, self.code);
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !stream.is_empty() {
                let _ = write!(text, "--- {name}\n{stream}");
            }
        }
        text
    }
}

/// Holds a run against its snapshot `snapshots/NAME.snap` and its exit code.
#[track_caller]
pub(crate) fn check(name: &str, code: i32, run: Run) -> Ended {
    let caller = Location::caller();
    let ended = run.end();
    let transcript = ended.transcript();
    assert_eq!(ended.code, code, "{transcript}");
    assert!(
        !transcript.contains("panicked"),
        "it panicked:\n{transcript}"
    );
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    // What the operating system says of a refused connection differs.
    settings.add_filter(r"tcp connect error: [^;]*;", "[refused];");
    settings.add_filter(r"process \d+", "process [id]");
    println!("checked from {caller}");
    settings.bind(|| insta::assert_snapshot!(name, transcript));
    ended
}
