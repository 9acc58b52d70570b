use anyhow::Result;

use super::session::Session;

/// A number of replicas in a manifest, while an autoscaler sets it.
#[test]
fn the_fight_with_an_autoscaler() -> Result<()> {
    let mut shop = Session::new()?;
    shop.quietly("kubectl autoscale deployment web -n shop --min=2 --max=9")?;
    // Nothing is measured on the test's nodes: somebody scales in the autoscaler's place.
    shop.quietly("kubectl scale deployment web -n shop --replicas=5")?;
    shop.until("kubectl rollout status deployment web -n shop --timeout=1s")?;
    let wrong = "  replicas: 3";
    shop.write("k8s/web.yaml", "  replicas: 2", wrong)?;
    shop.types(0, "underpin up --yes")?;
    shop.was_told("remove `spec.replicas` from the manifest")?;
    shop.page("hpa_fight");
    shop.mends("k8s/web.yaml:6:3", wrong, "")?;
    shop.succeeds("underpin up --yes")?;
    assert!(!shop.is_told("UP605"));
    let replicas = "kubectl get deployment web -n shop -o jsonpath='{.spec.replicas}'";
    assert_eq!(shop.quietly(replicas)?, "5");
    shop.page("hpa_fight_mended");
    Ok(())
}
