//! What users write: the `GatewayRoute` resource, its status, and the words of its conditions.
//!
//! These types are the single origin of the published CRD (`crds/`), of `kubectl explain` and of
//! the offline lint. Nothing here runs: `control::translate` turns resources into the model.

#![allow(unreachable_pub, reason = "the schema derive repeats each type in a private module")]

pub mod client_validation;
pub mod crd;
pub mod duration;
pub mod gateway_route;
pub mod handler;
pub mod matches;
pub mod mirror;
pub mod policy;
pub mod port;
pub mod resolver;
pub mod rule;
pub mod schema;
pub mod status;

pub use client_validation::{ClientValidation, ClientValidationMode};
pub use gateway_route::{GatewayRoute, GatewayRouteSpec, Hsts, PolicyTarget, RouteTls};
pub use handler::{ApiHandler, Handler, HandlerType, RpcHandler};
pub use matches::{PathMatch, PathMatchType, RouteMatch, ValueMatch, ValueMatchType};
pub use mirror::Mirror;
pub use policy::{
    Balancing, BalancingStrategy, Breaker, EndpointLimit, EndpointTls, FailureKind, GrpcHealthCheck, HashOn,
    HashOnType, HealthCheck, LimitKey, LimitKeyType, LimitPeriod, LimitScope, Limiter, OutlierEjection, OutlierKind,
    ProxyPolicy, RequestLimit, Scheme, SecretRef,
};
pub use port::PortRef;
pub use resolver::{Resolver, ResolverType};
pub use rule::{BackendRef, PathSafety, Rule};
pub use status::{EndpointCounts, GatewayRouteStatus};
