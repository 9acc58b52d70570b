//! Acting as somebody else, by headers.
//!
//! Source: Kubernetes documentation, "Authenticating", "User impersonation".

use http::HeaderMap;

use super::{
    attributes::{Attributes, Target},
    authorize::authorize,
};
use crate::{Failure, State, User};

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const EXTRA_PREFIX: &str = "impersonate-extra-";
pub(super) const AUTHENTICATED: &str = "system:authenticated";
const UNAUTHENTICATED: &str = "system:unauthenticated";

/// The user whom a request is to be carried out as: the one who asks, unless its headers name
/// another, whom the asker must be allowed to impersonate (else 403; 500 for groups without a user).
pub(crate) fn impersonate(
    state: &State,
    user: &User,
    headers: &HeaderMap,
) -> Result<User, Failure> {
    let texts = |name: &str| -> Vec<String> {
        let values = headers.get_all(name).iter();
        let texts = values.filter_map(|value| value.to_str().ok());
        texts.map(ToOwned::to_owned).collect()
    };
    let name = texts(USER).into_iter().next().unwrap_or_default();
    let wanted_groups = texts(GROUP);
    let extra: Vec<(String, String)> = headers
        .iter()
        .filter_map(|(key, value)| {
            let key = key.as_str().strip_prefix(EXTRA_PREFIX)?;
            Some((key.to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect();
    if name.is_empty() {
        if wanted_groups.is_empty() && extra.is_empty() {
            return Ok(user.clone());
        }
        let message = "Internal Server Error: requested groups or extra fields without \
                       impersonating a user";
        return Err(Failure::new(500, "InternalError", message));
    }
    let account = name
        .strip_prefix("system:serviceaccount:")
        .and_then(|rest| rest.split_once(':'))
        .filter(|(namespace, account)| !namespace.is_empty() && !account.is_empty());
    let allowed = |resource: &str, subresource: &str, namespace: &str, name: &str| {
        let group = match resource {
            "userextras" => "authentication.k8s.io",
            _ => "",
        };
        let attributes = Attributes {
            verb: "impersonate".to_owned(),
            target: Target::Resource {
                group: group.to_owned(),
                resource: resource.to_owned(),
                subresource: subresource.to_owned(),
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            },
        };
        authorize(state, user, &attributes)
    };
    match account {
        Some((namespace, account)) => allowed("serviceaccounts", "", namespace, account)?,
        None => allowed("users", "", "", &name)?,
    }
    for group in &wanted_groups {
        allowed("groups", "", "", group)?;
    }
    for (key, value) in &extra {
        allowed("userextras", key, "", value)?;
    }
    let mut groups = match account {
        Some((namespace, _)) if wanted_groups.is_empty() => service_account_groups(namespace),
        _ => wanted_groups,
    };
    let implied = if name == "system:anonymous" {
        UNAUTHENTICATED
    } else {
        AUTHENTICATED
    };
    let known = |group: &String| group == AUTHENTICATED || group == UNAUTHENTICATED;
    if !groups.iter().any(known) {
        groups.push(implied.to_owned());
    }
    Ok(User { name, groups })
}

/// The groups of every service account in a namespace, `system:authenticated` not among them.
pub(super) fn service_account_groups(namespace: &str) -> Vec<String> {
    vec![
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{namespace}"),
    ]
}
