use anyhow::Result;

use super::session::Session;

/// More pods than the namespace may have. The sandbox counts no quotas.
#[test]
fn the_quota() -> Result<()> {
    let mut shop = Session::new()?;
    if !shop.cluster().enforces_quotas() {
        return Ok(());
    }
    let quota = "kubectl create quota team -n shop --hard=pods=3";
    shop.quietly(quota)?;
    let used = "kubectl get quota team -n shop -o jsonpath='{.status.used.pods}' | grep -qx 2";
    shop.until(used)?;
    let (right, wrong) = ("  replicas: 3", "  replicas: 5");
    shop.write("k8s/web.yaml", "  replicas: 2", wrong)?;
    shop.types(1, "underpin up --yes --wait-timeout 10s")?;
    shop.was_told("ask for less (fewer replicas")?;
    shop.was_told("`kubectl describe quota team -n shop`")?;
    shop.page("quota");
    shop.mends("k8s/web.yaml:1:1", wrong, right)?;
    shop.succeeds("underpin up --yes")?;
    shop.page("quota_mended");
    Ok(())
}
