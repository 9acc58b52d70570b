//! Rights: each command runs with exactly the roles that `underpin rbac` prints for it, and says
//! what it lacks where it has less.

mod exact;
mod less;
mod scene;
mod unseen;
