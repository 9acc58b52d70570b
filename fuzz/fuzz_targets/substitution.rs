//! Substitution must not panic, and must not print a secret.
#![no_main]

use libfuzzer_sys::fuzz_target;
use underpin_source::{
    manifests::{self, Variable, Variables},
    stack,
};

const STACK: &str = "apiVersion: underpin.dev/v1
kind: Stack
metadata: {name: fuzz}
spec:
  sources: [{manifests: '-', substitute: true}]
  environments: {production: {}}
";

const SECRET: &str = "correct horse battery staple";

fuzz_target!(|text: &str| {
    if text.contains(SECRET) {
        return;
    }
    let Ok(stack) = stack::parse("underpin.yaml".into(), STACK) else {
        return;
    };
    let variables: Variables = [
        ("a", Variable::text("1")),
        ("b", Variable::name("n")),
        ("s", Variable::secret(SECRET)),
    ]
    .into_iter()
    .collect();
    let (documents, _) = manifests::read(&stack, Some(text.to_owned()));
    let (objects, diagnostics) = manifests::render(&documents, &variables);
    assert!(!format!("{objects:?} {diagnostics:?}").contains(SECRET));
});
