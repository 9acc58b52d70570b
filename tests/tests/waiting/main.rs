//! `up` waits for what it applied, and where that is in vain says why, the cause first.

mod causes;
mod patience;
mod secrets;
mod workload;
