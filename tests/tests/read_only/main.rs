//! Looking changes nothing, provably: what goes over the wire when Underpin plans, checks, shows
//! status, is blocked, or is not given consent; and how much of it.

mod bulk;
mod situations;
