//! Waits for definitions, between waves.

use std::time::Duration;

use tokio::time::Instant;
use underpin_model::{Object, ResourceKind};
use underpin_readiness::{State, Surroundings, state};

use crate::{StopReason, tools::Tools};

/// Between two looks.
const POLL: Duration = Duration::from_millis(125);
/// How long a definition may take to be established before its instances are applied.
const LIMIT: Duration = Duration::from_secs(30);

/// Waits until a definition is established, so that its instances can be applied.
pub(crate) async fn established(
    tools: &Tools,
    kind: &ResourceKind,
    definition: &Object,
) -> Result<Result<(), String>, StopReason> {
    let end = Instant::now() + LIMIT;
    let mut at = definition.clone();
    loop {
        let why = match state(&at, &Surroundings::default()) {
            State::Current => return Ok(Ok(())),
            State::Failed(why) => return Ok(Err(why)),
            other => other.to_string(),
        };
        if Instant::now() >= end {
            return Ok(Err(format!("{why} after {} s", LIMIT.as_secs())));
        }
        if let Some(reason) = tools.stop.sleep(POLL).await {
            return Err(reason);
        }
        match tools.timed()?.get(kind, &definition.key).await {
            Ok(Some(live)) => at = live,
            Ok(None) => return Ok(Err("it was deleted meanwhile".to_owned())),
            Err(error) if error.is_transient() => {}
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
}
