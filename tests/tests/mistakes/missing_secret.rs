use anyhow::Result;

use super::session::Session;

/// A Secret that is not there, for a slip in its name.
#[test]
fn the_missing_secret() -> Result<()> {
    let mut shop = Session::new()?;
    let (right, wrong) = (
        "            - secretRef: { name: database }",
        "            - secretRef: { name: databse }",
    );
    shop.write("k8s/web.yaml", right, wrong)?;
    shop.types(3, "underpin up --yes")?;
    shop.was_told("if secret/shop/database is meant: correct the name")?;
    shop.page("missing_secret");
    shop.mends("k8s/web.yaml:21:28", wrong, right)?;
    shop.succeeds("underpin up --yes")?;
    shop.page("missing_secret_mended");
    Ok(())
}
