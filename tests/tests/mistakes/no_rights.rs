use anyhow::Result;

use super::session::Session;

/// Who may look at everything but Secrets, and change nothing.
#[test]
fn no_rights() -> Result<()> {
    let mut shop = Session::new()?;
    shop.quietly("underpin rbac --for review --user dana | kubectl apply -f -")?;
    shop.write("k8s/web.yaml", "  replicas: 2", "  replicas: 3")?;
    shop.seats("dana")?;
    shop.types(1, "underpin up --yes")?;
    shop.page("no_rights");
    let grants = |name: &str| {
        format!(
            "underpin rbac --for up --environment production --user {name} | kubectl apply -f -"
        )
    };
    shop.was_told(&format!("`{}`", grants("NAME")))?;
    shop.takes(shop.cluster().admin())?;
    shop.succeeds(&grants("dana"))?;
    shop.seats("dana")?;
    shop.succeeds("underpin up --yes")?;
    shop.page("no_rights_mended");
    Ok(())
}
