//! A registry that takes tokens alone, and who makes them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use super::{
    memory::Memory,
    server::{Server, Told},
};

/// A registry, and the server that makes tokens for `ci` with the password `hunter2`: each is good for `uses`
/// requests, and for what it was asked for alone.
pub(crate) async fn with_tokens(memory: Arc<Memory>, uses: usize) -> (Server, Server) {
    let left: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
    let made = Arc::clone(&left);
    let tokens = Server::start(move |asked| {
        // `ci:hunter2`.
        if asked.header("authorization") != "Basic Y2k6aHVudGVyMg==" {
            return Told::new(401, "");
        }
        let mut made = made.lock().unwrap();
        let scope = asked.parameter("scope").unwrap_or("").to_owned();
        let token = format!(
            "{}-{}",
            scope
                .replace("%3A", ":")
                .replace("%2F", "/")
                .replace("%2C", ","),
            made.len()
        );
        made.insert(token.clone(), uses);
        Told::new(200, format!(r#"{{"token":"{token}","expires_in":300}}"#))
    })
    .await;
    let realm = format!("http://{}/token?account=x", tokens.host);
    let registry = Server::start(move |asked| {
        let path = asked.path.strip_prefix("/v2/").unwrap_or("");
        let parts = ["/tags/", "/manifests/", "/referrers/", "/blobs/"];
        let end = parts.iter().find_map(|part| path.find(part));
        let act = match &*asked.method {
            "GET" | "HEAD" => "pull",
            _ => "pull,push,delete",
        };
        let wanted = match end {
            Some(end) => format!("repository:{}:{act}", &path[..end]),
            None => "registry:catalog:".to_owned(),
        };
        let said = asked
            .header("authorization")
            .strip_prefix("Bearer ")
            .unwrap_or("");
        let mut left = left.lock().unwrap();
        match left
            .get_mut(said)
            .filter(|left| **left > 0 && said.starts_with(&wanted))
        {
            Some(left) => {
                *left -= 1;
                memory.answer(asked)
            }
            None => Told::error(401, "UNAUTHORIZED").with(
                "www-authenticate",
                format!(r#"Bearer realm="{realm}",service="registry",scope="{wanted}""#),
            ),
        }
    })
    .await;
    (registry, tokens)
}
