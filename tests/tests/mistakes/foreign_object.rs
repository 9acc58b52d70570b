use anyhow::Result;

use super::session::Session;

/// What a Helm release left there.
const THEIRS: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: features
  namespace: shop
  labels: { app.kubernetes.io/managed-by: Helm }
  annotations:
    meta.helm.sh/release-name: platform
    meta.helm.sh/release-namespace: shop
data:
  search: fuzzy
";

/// An object that belongs to somebody else.
#[test]
fn somebody_elses_object() -> Result<()> {
    let mut shop = Session::new()?;
    shop.quietly(&format!(
        "kubectl create --validate=false -f - <<'END'\n{THEIRS}END"
    ))?;
    let ours =
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: features\ndata:\n  checkout: new\n";
    shop.append("k8s/config.yaml", ours)?;
    shop.types(3, "underpin up --yes")?;
    shop.was_told("give the object a name of its own")?;
    shop.page("foreign_object");
    shop.mends(
        "k8s/config.yaml:15:1",
        "  name: features",
        "  name: shop-features",
    )?;
    shop.succeeds("underpin up --yes")?;
    shop.page("foreign_object_mended");
    Ok(())
}
