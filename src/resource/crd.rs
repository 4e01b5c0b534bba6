//! The published CRD, generated from the types of this module.

use super::GatewayRoute;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

/// The CRDs of this version, in the order in which they are applied.
#[must_use]
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![GatewayRoute::crd()]
}
