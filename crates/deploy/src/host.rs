//! Randomness and the time of day, as the cluster's host gives them.

use underpin_cluster::Host;

use crate::DeployError;

/// Random bytes.
pub(crate) fn random<const N: usize>(host: &dyn Host) -> Result<[u8; N], DeployError> {
    let mut bytes = [0; N];
    host.random(&mut bytes).map_err(DeployError::NoRandomness)?;
    Ok(bytes)
}

/// The time of day in RFC 3339, to the second, for records that people read.
pub(crate) fn time_of_day(host: &dyn Host) -> String {
    host.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
