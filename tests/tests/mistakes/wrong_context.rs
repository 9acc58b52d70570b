use anyhow::Result;

use super::session::Session;

/// The cluster that somebody worked with a moment ago.
#[test]
fn the_wrong_context() -> Result<()> {
    let mut shop = Session::new()?;
    shop.types(1, "underpin up --yes --context staging")?;
    shop.was_told("leave --context out")?;
    shop.page("wrong_context");
    shop.succeeds("underpin up --yes")?;
    shop.page("wrong_context_mended");
    Ok(())
}
