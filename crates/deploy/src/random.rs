//! Randomness, drawn in one place.

use crate::DeployError;

/// Bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], DeployError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| DeployError::NoRandomness(error.to_string()))?;
    Ok(bytes)
}
