//! What was done to an environment and what each run applied; and plans that are frozen into a file
//! and carried out later, or refused because the world moved.

mod frozen;
mod history;

use anyhow::Result;
use underpin_tests::{Kubectl, Output};

/// The value of the secret variable of these stacks.
const PASSWORD: &str = "hunter2-correct-horse";

/// How a value may look in what is stored or shown.
fn forms(value: &str) -> [String; 2] {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for group in value.as_bytes().chunks_exact(3) {
        let bits = group
            .iter()
            .fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        for place in [18, 12, 6, 0] {
            encoded.push(char::from(LETTERS[bits >> place & 63]));
        }
    }
    [value.to_owned(), encoded]
}

/// No secret stands in a text.
#[track_caller]
fn holds_no_secret(what: &str, text: &str) {
    for form in forms(PASSWORD) {
        assert!(!text.contains(&form), "{what} holds {form}:\n{text}");
    }
}

/// No secret stands in what a run wrote to its outputs.
#[track_caller]
fn says_no_secret(output: &Output) {
    holds_no_secret("an output", &output.transcript());
}

/// What lies beside the claims, of one stack: names of ConfigMaps.
fn stored(kubectl: &Kubectl, stack: &str) -> Result<Vec<String>> {
    let list = kubectl.get(&["configmaps", "-n", "underpin-system"])?;
    let names = list["items"].as_array().into_iter().flatten();
    let prefix = format!("{stack}.");
    Ok(names
        .filter_map(|map| map["metadata"]["name"].as_str())
        .filter(|name| name.starts_with(&prefix))
        .map(str::to_owned)
        .collect())
}
