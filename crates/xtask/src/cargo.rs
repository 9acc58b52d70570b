//! Cargo, called from within: builds, and where it put what it built.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Cargo, as the one that runs this program.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// What cargo says of all that it built.
pub(crate) fn messages(text: &str) -> Result<Vec<Value>> {
    text.lines()
        .map(|line| serde_json::from_str(line).context("read cargo's messages"))
        .collect()
}

/// Where cargo says that it put a program.
pub(crate) fn executable(messages: &[Value], name: &str) -> Result<PathBuf> {
    for message in messages {
        let target = &message["target"];
        if target["name"] == name
            && target["kind"][0] == "bin"
            && message["profile"]["test"] == false
            && let Some(path) = message["executable"].as_str()
        {
            return Ok(path.into());
        }
    }
    bail!("cargo built no program {name}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_program_is_found_and_its_unit_tests_are_not_taken_for_it() {
        let unit = r#"{"target":{"name":"underpin","kind":["bin"]},"profile":{"test":true},"executable":"/t/deps/underpin-1"}"#;
        let program = r#"{"target":{"name":"underpin","kind":["bin"]},"profile":{"test":false},"executable":"/t/underpin"}"#;
        let end = r#"{"reason":"build-finished","success":true}"#;
        let all = messages(&[unit, program, end].join("\n")).unwrap();
        assert_eq!(
            executable(&all, "underpin").unwrap(),
            Path::new("/t/underpin")
        );
        assert!(executable(&all, "xtask").is_err());
        assert!(executable(&messages(unit).unwrap(), "underpin").is_err());
        assert!(messages("no JSON").is_err());
    }
}
