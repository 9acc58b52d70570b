//! I5: a rename dropped a consumer from the list of a database's policy, and nobody saw it for five
//! days.
//!
//! A policy in the database's namespace lets its consumers in by namespace, one by one. A mass rename
//! rewrote that list, and `pal-e-docs` was in it no more. Its pods went on with the connections that
//! they had, until a routine restart.

mod database;
mod dropped;
mod only_live;
