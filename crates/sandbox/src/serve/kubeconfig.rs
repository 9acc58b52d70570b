//! The kubeconfig of a served sandbox.

use std::net::SocketAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::Access;

/// What cluster, contexts and users are called.
const NAME: &str = "sandbox";

/// Name of the context of a user by their place among [`super::Options::users`]: the first one is
/// the current.
pub fn context_name(index: usize, user: &str) -> String {
    if index == 0 {
        NAME.to_owned()
    } else {
        format!("{NAME}-{user}")
    }
}

/// YAML with everything in it; names are written as JSON strings, which YAML reads alike.
pub(super) fn render(address: SocketAddr, certificate: &str, users: &[Access]) -> String {
    let authority = STANDARD.encode(certificate);
    let mut text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {NAME}\nclusters:\n- name: {NAME}\n  \
         cluster:\n    server: https://{address}\n    certificate-authority-data: {authority}\n"
    );
    text.push_str("contexts:\n");
    for (index, access) in users.iter().enumerate() {
        let name = serde_json::Value::from(context_name(index, &access.user.name));
        text.push_str(&format!(
            "- name: {name}\n  context: {{cluster: {NAME}, user: {name}}}\n"
        ));
    }
    text.push_str("users:\n");
    for (index, access) in users.iter().enumerate() {
        let name = serde_json::Value::from(context_name(index, &access.user.name));
        let token = serde_json::Value::from(access.token.as_str());
        text.push_str(&format!("- name: {name}\n  user: {{token: {token}}}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::User;

    #[test]
    fn the_first_user_is_the_current_context_and_others_have_their_own() {
        let users = [
            Access {
                token: "one".to_owned(),
                user: User::admin(),
            },
            Access {
                token: "two".to_owned(),
                user: User {
                    name: "system:serviceaccount:a:b".to_owned(),
                    groups: Vec::new(),
                },
            },
        ];
        let text = render(SocketAddr::from(([127, 0, 0, 1], 6443)), "CERT", &users);
        let expect = r#"apiVersion: v1
kind: Config
current-context: sandbox
clusters:
- name: sandbox
  cluster:
    server: https://127.0.0.1:6443
    certificate-authority-data: Q0VSVA==
contexts:
- name: "sandbox"
  context: {cluster: sandbox, user: "sandbox"}
- name: "sandbox-system:serviceaccount:a:b"
  context: {cluster: sandbox, user: "sandbox-system:serviceaccount:a:b"}
users:
- name: "sandbox"
  user: {token: "one"}
- name: "sandbox-system:serviceaccount:a:b"
  user: {token: "two"}
"#;
        assert_eq!(text, expect);
    }
}
