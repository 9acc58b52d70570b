//! `underpin sandbox` as people use it: kubectl against it, what it begins with, how it ends.

mod access;
mod begin_and_end;
mod kubectl;
mod served;
mod workloads;
