//! I2: the rule that derives namespaces changes, and the next deployment replaces one.

use http::Method;
use serde_json::Value;
use underpin_sandbox::NoHooks;

use super::stage::{Stage, say, shown};
use crate::error::CommandError;

const APP: &str = include_str!("../../demo/rooms/app.yaml");
const FILES: &[(&str, &str)] = &[
    (
        "underpin.yaml",
        include_str!("../../demo/rooms/underpin.yaml"),
    ),
    ("app.yaml", APP),
];
const NAMESPACE: &str = "wize-rooms-api";

/// What both environments had in the one namespace.
fn legacy() -> String {
    let (namespace, workload) = APP.split_once("---\n").unwrap_or((APP, ""));
    let mut text = format!("{namespace}---\n");
    for environment in ["likeclaw-us", "likeclaw-us-dev"] {
        let one = workload.replace("${environment}", environment);
        let placed = one.replace(
            "metadata: { name: \"api",
            &format!("metadata: {{ namespace: {NAMESPACE}, name: \"api"),
        );
        text.push_str(&placed);
        text.push_str("---\n");
    }
    text
}

pub(super) async fn play() -> Result<(), CommandError> {
    say(
        "Then: the repair of the first incident changed the derived name. For what had been \
         deployed before, the next routine deployment planned to replace the namespace:",
    )?;
    say(
        "  kubernetes:core/v1:Namespace: (replace) name \"wize-rooms-api\" => \"wize-rooms-api-likeclaw-us-dev\"",
    )?;
    say(
        "Create the new one, delete the old one; and the parent likeclaw-us lived in the old one.",
    )?;
    let stage = Stage::set(NoHooks, FILES).await?;
    stage.deploy(&legacy())?;
    say("\nNow: where an environment lives is recorded, and a changed rule moves nothing.")?;
    stage
        .underpin("import -e likeclaw-us --namespace wize-rooms-api --yes", 0)
        .await?;
    stage
        .underpin(
            "import -e likeclaw-us-dev --namespace wize-rooms-api --yes",
            0,
        )
        .await?;
    stage.underpin("plan -e likeclaw-us-dev", 0).await?;
    say("\nAnd a manifest that renames the Namespace is seen as what it is.")?;
    let renamed = APP.replace(
        "name: wize-rooms-api }",
        "name: wize-rooms-api-likeclaw-us-dev }",
    );
    stage.write("app.yaml", &renamed)?;
    stage.underpin("plan -e likeclaw-us", 3).await?;
    let path = format!("/api/v1/namespaces/{NAMESPACE}");
    let (code, _) = stage.request(Method::GET, &path, &Value::Null);
    shown(code == 200, || {
        format!("namespace {NAMESPACE} answers {code} after a plan")
    })?;
    stage.clear().await;
    Ok(())
}
