//! Who may do what: authorisation by roles, impersonation, reviews, escalation, webhooks, tokens.
//!
//! Everything here only reads the cluster, but for [`bootstrap`] and [`aggregate`], which write the
//! roles that every cluster has.
//!
//! Webhooks cannot be called from here: one that matches answers as one whose Service is missing.
//! `ValidatingAdmissionPolicy` needs an expression language that is not here: it has no effect.

mod attributes;
mod authorize;
mod escalation;
mod impersonation;
mod review;
mod roles;
mod rule;
mod rules_for;
mod selector;
mod token;
mod webhook;

pub(crate) use attributes::{Attributes, Target};
pub(crate) use authorize::{authorize, authorize_creation};
pub(crate) use escalation::confirm_no_escalation;
pub(crate) use impersonation::impersonate;
pub(crate) use review::review;
pub(crate) use roles::{aggregate, bootstrap};
pub(crate) use selector::matches_selector;
#[cfg(feature = "serve")]
pub(crate) use token::authenticate;
pub(crate) use token::request_token;
pub(crate) use webhook::{Admission, Operation, Phase, webhooks};

#[cfg(test)]
mod tests;
