//! Why an expression has no value.

use super::text::Site;

/// An expression that cannot be evaluated, by its own fault: Terraform would refuse it too.
#[derive(Debug)]
pub(super) struct Failure(Box<Details>);

#[derive(Debug)]
pub(super) struct Details {
    pub(super) site: Option<Site>,
    /// One sentence without a full stop, and without any value that could be secret.
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// Whether a bound was met, so that `try` must not hide it.
    pub(super) fatal: bool,
}

impl Failure {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            site: None,
            message: message.into(),
            help: None,
            fatal: false,
        }))
    }

    /// A bound was met.
    pub(super) fn fatal(message: impl Into<String>) -> Self {
        let mut failure = Self::new(message);
        failure.0.fatal = true;
        failure
    }

    #[must_use]
    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// The same at this place, unless it has one.
    #[must_use]
    pub(super) fn at(mut self, site: Option<Site>) -> Self {
        self.0.site = self.0.site.or(site);
        self
    }

    pub(super) fn details(&self) -> &Details {
        &self.0
    }
}
