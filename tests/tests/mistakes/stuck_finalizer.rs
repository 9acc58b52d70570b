use anyhow::Result;

use super::session::Session;

/// A finalizer whose controller is gone.
#[test]
fn the_stuck_finalizer() -> Result<()> {
    let mut shop = Session::new()?;
    let finalizer = r#"{"metadata":{"finalizers":["backup.example.com/keep"]}}"#;
    shop.quietly(&format!(
        "kubectl patch configmap/web -n shop --type=merge -p '{finalizer}'"
    ))?;
    shop.types(1, "underpin down --yes --wait-timeout 10s")?;
    shop.page("stuck_finalizer");
    let nobody = r#"{"metadata":{"finalizers":null}}"#;
    shop.pastes(&format!(
        "kubectl patch configmap/web -n shop --type=merge -p '{nobody}'"
    ))?;
    shop.until("! kubectl get namespace shop")?;
    shop.succeeds("underpin down --yes")?;
    shop.page("stuck_finalizer_mended");
    Ok(())
}
