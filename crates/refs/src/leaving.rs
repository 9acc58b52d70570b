//! What goes by itself: what a deletion leaves behind for a moment.

use underpin_model::{GroupKind, Object, ObjectKey, OwnerReference};

const TOKEN_ACCOUNT: &str = "kubernetes.io/service-account.name";
const TOKEN_ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";

/// Who writes Endpoints for Services, and deletes those whose Service is gone.
const CONTROLLER_MANAGER: &str = "kube-controller-manager";
/// Endpoints that processes agree by who leads them, in clusters of old; they are for no Service.
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";

/// What is known of the objects around one.
pub trait Neighbours {
    /// Whether an owner is, or may be, there.
    fn may_be_there(&self, owner: &OwnerReference) -> bool;
    /// Whether it is certain that an object is not there.
    fn is_absent(&self, key: &ObjectKey) -> bool;
    /// Whether an object was there earlier, as far as anybody has recorded that.
    fn was_there(&self, key: &ObjectKey) -> bool;
}

/// Whether an object goes without anybody's doing: it is being deleted, or everything that it was made
/// for is gone and a controller of Kubernetes collects it.
pub fn goes_by_itself(object: &Object, neighbours: &impl Neighbours) -> bool {
    if object.is_terminating() || are_left_endpoints(object, neighbours) {
        return true;
    }
    let owners = object.owner_references();
    if owners.is_empty() {
        return account_of_token(object).is_some_and(|account| !neighbours.may_be_there(&account));
    }
    !owners.iter().any(|owner| neighbours.may_be_there(owner))
}

/// Whether these are the Endpoints of a Service that is gone. They name it by their own name alone.
fn are_left_endpoints(object: &Object, neighbours: &impl Neighbours) -> bool {
    if !object.key.kind.is("", "Endpoints") || object.annotation(LEADER).is_some() {
        return false;
    }
    let service = ObjectKey {
        kind: GroupKind::core("Service"),
        ..object.key.clone()
    };
    let mut managers = object.managers().into_iter().peekable();
    let is_made =
        managers.peek().is_some() && managers.all(|(manager, _)| manager == CONTROLLER_MANAGER);
    neighbours.is_absent(&service) && (is_made || neighbours.was_there(&service))
}

/// The ServiceAccount of a token, which its annotations tell and no owner reference.
fn account_of_token(object: &Object) -> Option<OwnerReference> {
    let name = object.annotation(TOKEN_ACCOUNT)?;
    let uid = object.annotation(TOKEN_ACCOUNT_UID)?;
    object.key.kind.is("", "Secret").then(|| OwnerReference {
        kind: GroupKind::core("ServiceAccount"),
        name: name.to_owned(),
        uid: uid.to_owned(),
        controller: false,
    })
}
