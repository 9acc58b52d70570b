//! What declared files mean, and where.

#![allow(
    clippy::format_collect,
    clippy::format_push_string,
    clippy::needless_pass_by_value,
    reason = "test data is built and given away freely"
)]

#[cfg(test)]
mod helm;
#[cfg(test)]
mod manifests;
#[cfg(test)]
mod stack;
#[cfg(test)]
mod substitution;
#[cfg(test)]
mod yaml_positions;
#[cfg(test)]
mod yaml_properties;
#[cfg(test)]
mod yaml_scalars;
#[cfg(test)]
mod yaml_structure;
