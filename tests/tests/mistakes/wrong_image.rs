use anyhow::Result;

use super::session::Session;

/// A tag that the registry does not have.
#[test]
fn the_wrong_image() -> Result<()> {
    let mut shop = Session::new()?;
    let (right, wrong) = (
        "          image: registry.example.com/shop/web:1.4",
        "          image: registry.example.com/shop/web:1.41",
    );
    shop.write("k8s/web.yaml", &format!("{right}\n"), &format!("{wrong}\n"))?;
    shop.types(1, "underpin up --yes --wait-timeout 10s")?;
    shop.was_told("name and tag")?;
    shop.page("wrong_image");
    shop.mends("k8s/web.yaml:17:11", wrong, right)?;
    shop.succeeds("underpin up --yes")?;
    shop.page("wrong_image_mended");
    Ok(())
}
