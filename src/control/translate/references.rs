//! The one decision on references from one namespace to another.
//!
//! A grant counts only in the namespace that it opens, and taking it away closes that namespace
//! at the next translation. A refusal reads the same whether the target exists or not.

use super::Context;
use crate::control::cache::Cache;
use gateway_api::apis::standard::referencegrants::{ReferenceGrantFrom, ReferenceGrantSpec, ReferenceGrantTo};

/// A kind in its API group, as ReferenceGrants name it. The core group is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupKind {
    /// The API group.
    pub group: &'static str,
    /// The kind.
    pub kind: &'static str,
}

/// GatewayRoute.
pub const GATEWAY_ROUTE: GroupKind = GroupKind { group: "paifang.dev", kind: "GatewayRoute" };
/// Ingress, which cannot name other namespaces.
pub const INGRESS: GroupKind = GroupKind { group: "networking.k8s.io", kind: "Ingress" };
/// Service.
pub const SERVICE: GroupKind = GroupKind { group: "", kind: "Service" };
/// Secret.
pub const SECRET: GroupKind = GroupKind { group: "", kind: "Secret" };

/// Who refers.
#[derive(Clone, Copy, Debug)]
pub struct From<'a> {
    /// Its kind.
    pub kind: GroupKind,
    /// Its namespace.
    pub namespace: &'a str,
}

/// What is referred to.
#[derive(Clone, Copy, Debug)]
pub struct To<'a> {
    /// Its kind.
    pub kind: GroupKind,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
}

/// Whether an object may refer to another, or how its owner would permit it.
///
/// # Errors
///
/// The other namespace has no ReferenceGrant for it. The text is for the status of the object.
pub fn may_reference(cache: &Cache, from: From<'_>, to: To<'_>) -> Result<(), String> {
    let granted = from.namespace == to.namespace
        || cache.grants.in_namespace(to.namespace).any(|(_, grant)| permits(&grant.spec, from, to));
    if granted { Ok(()) } else { Err(denial(from, to)) }
}

/// What to say of a namespace whose Secrets are not read.
pub(super) fn not_read(context: &Context, namespace: &str) -> String {
    let mut message = format!(
        "Secrets of namespace `{namespace}` are not read: add it to the chart value tls.namespaces (flag --tls-namespaces)"
    );
    if let Some((at, account)) = &context.service_account {
        message.push_str(&format!(
            ". Without the chart, also: kubectl create role {account}-secrets -n {namespace} --verb=get,list,watch --resource=secrets; \
             kubectl create rolebinding {account}-secrets -n {namespace} --role={account}-secrets --serviceaccount={at}:{account}"
        ));
    }
    message
}

fn permits(grant: &ReferenceGrantSpec, from: From<'_>, to: To<'_>) -> bool {
    grant.from.iter().any(|entry| is_from(entry, from)) && grant.to.iter().any(|entry| is_to(entry, to))
}

fn is_from(entry: &ReferenceGrantFrom, from: From<'_>) -> bool {
    entry.group == from.kind.group && entry.kind == from.kind.kind && entry.namespace == from.namespace
}

fn is_to(entry: &ReferenceGrantTo, to: To<'_>) -> bool {
    entry.group == to.kind.group
        && entry.kind == to.kind.kind
        && entry.name.as_deref().is_none_or(|name| name.is_empty() || name == to.name)
}

fn denial(from: From<'_>, to: To<'_>) -> String {
    format!(
        "namespace `{}` does not permit it: its owner must create a ReferenceGrant there with from {{group: {}, kind: {}, namespace: {}}} and to {{group: \"\", kind: {}}}",
        to.namespace, from.kind.group, from.kind.kind, from.namespace, to.kind.kind
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::cache;

    const FROM: From<'_> = From { kind: GATEWAY_ROUTE, namespace: "web" };
    const TO: To<'_> = To { kind: SERVICE, namespace: "shop", name: "cart" };

    fn grant(namespace: &str, from: &str, to: &str) -> Cache {
        cache(&format!(
            "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {{namespace: {namespace}, name: g}}\nspec: {{from: [{from}], to: [{to}]}}"
        ))
    }

    const GOOD_FROM: &str = "{group: paifang.dev, kind: GatewayRoute, namespace: web}";
    const GOOD_TO: &str = "{group: '', kind: Service}";

    #[test]
    fn the_own_namespace_needs_no_grant() {
        let to = To { namespace: "web", ..TO };
        assert_eq!(may_reference(&Cache::default(), FROM, to), Ok(()));
    }

    #[test]
    fn a_grant_in_the_target_namespace_permits() {
        assert_eq!(may_reference(&grant("shop", GOOD_FROM, GOOD_TO), FROM, TO), Ok(()));
        let named = grant("shop", GOOD_FROM, "{group: '', kind: Service, name: cart}");
        assert_eq!(may_reference(&named, FROM, TO), Ok(()));
    }

    #[test]
    fn every_other_grant_permits_nothing() {
        let wrong = [
            ("web", GOOD_FROM, GOOD_TO),
            ("other", GOOD_FROM, GOOD_TO),
            ("shop", "{group: paifang.dev, kind: GatewayRoute, namespace: shop}", GOOD_TO),
            ("shop", "{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: web}", GOOD_TO),
            ("shop", "{group: '', kind: GatewayRoute, namespace: web}", GOOD_TO),
            ("shop", GOOD_FROM, "{group: '', kind: Secret}"),
            ("shop", GOOD_FROM, "{group: '', kind: Service, name: other}"),
            ("shop", GOOD_FROM, "{group: apps, kind: Service}"),
        ];
        for (namespace, from, to) in wrong {
            assert!(may_reference(&grant(namespace, from, to), FROM, TO).is_err(), "{namespace} {from} {to}");
        }
    }

    #[test]
    fn a_secret_needs_a_grant_of_its_own() {
        let secret = To { kind: SECRET, ..TO };
        assert!(may_reference(&grant("shop", GOOD_FROM, GOOD_TO), FROM, secret).is_err());
        let granted = grant("shop", GOOD_FROM, "{group: '', kind: Secret}");
        assert_eq!(may_reference(&granted, FROM, secret), Ok(()));
    }

    #[test]
    fn the_refusal_names_neither_the_target_nor_whether_it_exists() {
        let text = may_reference(&Cache::default(), FROM, TO).unwrap_err();
        assert!(!text.contains("cart"), "{text}");
        assert!(text.contains("ReferenceGrant"), "{text}");
    }
}
