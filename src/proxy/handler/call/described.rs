//! Any service of gRPC: a request becomes a call as the service describes itself, and the reply becomes JSON.
//!
//! Clients of gRPC and of gRPC-Web reach the same methods by the same rule.

mod answer;
mod learn;
mod messages;
mod replies;
mod sending;
mod web;

use super::target::Target;
use crate::{
    model::{call::Calls, rule::Targets},
    proxy::{
        body::Body,
        exchange::Exchange,
        grpc,
        handler::{Routed, http},
        outgoing::Outgoing,
        reply::{Form, reply},
    },
    rpc::{grpc_web::Web, registry::Dialect},
};
use ::http::{HeaderValue, Response, header::CONTENT_TYPE};

/// Whether a service is asked what it is: it speaks gRPC, and nobody says that it is one of go-micro.
pub(super) fn is_meant(routed: &Routed<'_>, calls: &Calls, target: &Target) -> bool {
    let is_written = matches!(routed.rule.targets, Targets::Backends(_));
    let is_fixed = calls.service.is_some() || calls.method.is_some();
    is_written && !is_fixed && routed.table.upstream(target.upstream).0.dialect == Dialect::Grpc
}

/// Answers a request for a described service.
pub(super) async fn answer(
    routed: &Routed<'_>,
    target: &Target,
    request: &mut Outgoing,
    exchange: &mut Exchange,
) -> Response<Body> {
    let web = web_of(request);
    let form = if web.is_some() { Form::Grpc } else { Form::of(request) };
    let answered = if grpc::is_call(request) {
        http::proxy(routed, request, exchange).await
    } else if let Some(web) = web {
        web::answer(routed, target, web, request, exchange).await
    } else {
        answer::answer(routed, target, request, exchange).await
    };
    answered.unwrap_or_else(|failure| {
        exchange.failed(&failure, form.grpc_status(&failure));
        let mut response = reply(&failure, form);
        if let Some(web) = web {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(web.content_type()));
        }
        response
    })
}

fn web_of(request: &Outgoing) -> Option<Web> {
    request.headers().get(CONTENT_TYPE).and_then(|value| Web::of(value.to_str().ok()?))
}

/// The name that the service is asked by.
fn host_of(routed: &Routed<'_>, target: &Target) -> String {
    let port = &routed.table.upstream(target.upstream).0.port;
    format!("{}.{}", port.service, port.namespace)
}
