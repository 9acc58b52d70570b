use anyhow::Result;

use super::session::Session;

/// A selector that is changed after the Deployment was made.
#[test]
fn the_immutable_selector() -> Result<()> {
    let mut shop = Session::new()?;
    let (right, wrong) = (
        "    matchLabels: { app: web }",
        "    matchLabels: { app: web, tier: front }",
    );
    let label = "      labels: { app: web }";
    let labels = "      labels: { app: web, tier: front }";
    shop.write("k8s/web.yaml", right, wrong)?;
    shop.write("k8s/web.yaml", label, labels)?;
    shop.types(1, "underpin up --yes")?;
    shop.was_told("put back what it was created with")?;
    shop.page("immutable_selector");
    // The new label may stay on the pods; they need not be selected by it.
    shop.mends("k8s/web.yaml:7:3", wrong, right)?;
    shop.succeeds("underpin up --yes")?;
    shop.page("immutable_selector_mended");
    Ok(())
}
