//! Why an object is not ready: the cause first, then what bears it out.
//!
//! [`Family::of`] picks the pods that belong to an object's newest revision, [`diagnose`] finds the
//! cause in their containers and in events, [`Log::excerpt`] bounds what a container wrote.

mod event;
mod family;
mod help;
mod log;
mod pod;
mod report;

pub use event::{EventReport, MAX_EVENTS};
pub use family::Family;
pub use log::{LOG_BYTES, LOG_LINES, Log};
pub use pod::{Culprit, TemplateField, Trouble, pod_trouble};
pub use report::{Diagnosis, MAX_PODS, PodReport, Texts, diagnose};
