//! Cases that must differ from what the other tool prints: where it is wrong.

/// A case that must differ.
pub(super) struct Known {
    group: &'static str,
    case: &'static str,
    /// Why.
    pub(super) why: &'static str,
}

impl Known {
    pub(super) fn is(&self, group: &str, case: &str) -> bool {
        self.group == group && self.case == case
    }
}

/// An Ingress names a port of its Service. In these cases the Service has none of that number, and
/// the number happens to be the pods'.
const PORT_OF_THE_PODS: &str = "an Ingress's port is one of its Service, which has none of that \
    number; the other tool takes it for the port of the pods";

pub(super) const KNOWN: &[Known] = &[
    Known {
        group: "connlist",
        case: "k8s_ingress_test_new",
        why: PORT_OF_THE_PODS,
    },
    Known {
        group: "diff",
        case: "k8s_ingress_test_new__k8s_ingress_test",
        why: PORT_OF_THE_PODS,
    },
];
