//! R1.6: no step takes a volume's data along unless it is proven safe, or its loss is accepted by
//! name.

mod outage;
mod stateful_set;
mod teardown;
mod volumes;
