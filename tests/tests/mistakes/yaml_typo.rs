use anyhow::Result;

use super::session::Session;

/// A colon that is missing, and then a field that is misspelled.
#[test]
fn a_typo() -> Result<()> {
    let mut shop = Session::new()?;
    let (right, wrong) = ("  replicas: 2", "  replica 2");
    let misspelled = "  replica: 2";
    shop.write("k8s/web.yaml", right, wrong)?;
    shop.types(1, "underpin up --yes")?;
    shop.page("yaml_typo");
    shop.mends("k8s/web.yaml:7:11", wrong, misspelled)?;
    shop.types(1, "underpin up --yes")?;
    shop.page("yaml_typo_field");
    shop.mends("k8s/web.yaml:6:3", misspelled, right)?;
    shop.succeeds("underpin up --yes")?;
    shop.page("yaml_typo_mended");
    Ok(())
}
