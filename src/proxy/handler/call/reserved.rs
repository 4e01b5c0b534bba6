//! The paths that go-micro's gateway keeps for itself, where requests name their service by the resolver Micro: `/`
//! tells the version, and `/rpc` takes calls that name service, method and message in the body.
//!
//! A rule that names such a path itself takes it before.

use super::{
    Ended, body_of,
    calling::Calling,
    node::{Node, Place},
    unless_called,
};
use crate::{
    model::{call::Resolution, rule::Targets},
    proxy::{
        body::Body,
        error::Failure,
        exchange::Exchange,
        handler::Routed,
        reply::{Form, fault_entity, reply},
        request_body::RequestBody,
    },
    rpc::{
        codec::Codec,
        direct::{self, Direct, ID},
        registry::Dialect,
        resolver::Kind,
    },
};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header::CONTENT_TYPE};
use std::{net::SocketAddr, sync::Arc};

/// What `/` answers.
const VERSION: &str = concat!(r#"{"version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);

/// The answer on a path that is reserved.
pub(super) async fn answer(
    routed: &Routed<'_>,
    request: &mut Request<RequestBody>,
    exchange: &mut Exchange,
) -> Option<Response<Body>> {
    let Targets::Resolved(resolution) = &routed.rule.targets else { return None };
    if resolution.resolver.kind() != Kind::Micro {
        return None;
    }
    match routed.path(request) {
        "/" if *request.method() == Method::OPTIONS => Some(Response::new(Body::empty())),
        "/" => Some(json(Bytes::from_static(VERSION.as_bytes()))),
        "/rpc" => Some(match rpc(routed, resolution, request, exchange).await {
            Ok(response) => response,
            Err(Ended::Failed(failure)) => {
                exchange.failed(&failure, None);
                reply(&failure, Form::Micro)
            }
            Err(Ended::Fault(fault)) => {
                fault_entity(&fault.unknown_as_not_found().completed(ID, "error during request: "))
            }
        }),
        _ => None,
    }
}

async fn rpc(
    routed: &Routed<'_>,
    resolution: &Resolution,
    request: &mut Request<RequestBody>,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Ended> {
    if let Some(response) = unless_called(request.method(), &[Method::POST])? {
        return Ok(response);
    }
    let (body, watch) = body_of(routed, request).await?;
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let call =
        direct::read(content_type, request.uri().query(), &body).map_err(|no_call| Ended::Fault(no_call.fault()))?;
    let service = call.service.as_str().into();
    let place = place(routed, resolution, &call, &service)?;
    let mut calling = Calling::new(routed, request, (place, &service), watch);
    calling.wanted = direct::timeout(request.headers());
    let reply = calling.call(&call.method, Codec::Json, &call.message, exchange).await?;
    let is_empty = reply.trim_ascii().is_empty();
    Ok(json(if is_empty { Codec::Json.empty() } else { reply.slice(..reply.trim_ascii_end().len()) }))
}

/// The service by its whole name, or the node that the client names where it may.
fn place(routed: &Routed<'_>, resolution: &Resolution, call: &Direct, service: &Arc<str>) -> Result<Place, Failure> {
    let known = resolution.services.get(service).copied();
    let Some(address) = &call.address else { return known.map(Place::Known).ok_or(Failure::NoService) };
    let dialect = known.map_or(Dialect::Mucp, |known| routed.table.upstream(known).0.dialect);
    Ok(Place::Named(Box::new(Node::new(permitted(routed, address)?, service, dialect))))
}

fn permitted(routed: &Routed<'_>, address: &str) -> Result<SocketAddr, Failure> {
    let address: SocketAddr = address.parse().map_err(|_| Failure::AddressRefused)?;
    let ip = address.ip().to_canonical();
    let networks = &routed.core.limits().rpc_addresses;
    if networks.iter().any(|network| network.contains(&ip)) { Ok(address) } else { Err(Failure::AddressRefused) }
}

fn json(body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::full(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
