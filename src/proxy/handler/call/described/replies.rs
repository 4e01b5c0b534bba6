//! Replies of described services: one message of JSON, a stream of them, or the status of a call that failed.

use super::{super::reading, messages::Messages, sending::Described};
use crate::{
    proxy::{body::Body, error::Failure, fields::clean_response, request_body::RequestBody},
    rpc::{
        fault::{Codes, RpcStatus, http_code, read_status},
        frame, stream_text,
        transcode::status_json,
    },
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
    response::Parts,
};
use std::sync::Arc;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl Described<'_> {
    /// The answer of a method that has one message.
    pub(super) async fn one(
        &self,
        request: &Request<RequestBody>,
        response: Response<Body>,
    ) -> Result<Response<Body>, Failure> {
        let speaks = is_grpc(&response);
        let (mut head, body) = response.into_parts();
        clean_response(&mut head.headers)?;
        if let Some(status) = read_status(&head.headers) {
            return self.ended(head, &status, &Bytes::new());
        }
        if !speaks {
            return Err(Failure::UpstreamBroken);
        }
        let time = self.routed.plan(self.target.upstream, request)?.time();
        let left = time.map(|time| time.saturating_sub(self.routed.core.clock.since(self.began)));
        let reply = reading::read(self.routed.core, body, left).await?;
        let status = read_status(&reply.trailers).ok_or(Failure::UpstreamBroken)?;
        self.ended(head, &status, &reply.bytes)
    }

    fn ended(&self, head: Parts, status: &RpcStatus, reply: &Bytes) -> Result<Response<Body>, Failure> {
        let (code, json) = if status.code == 0 {
            let message = frame::only(reply).map_err(|_| Failure::UpstreamBroken)?;
            (StatusCode::OK, self.binding.json(&message.bytes).map_err(|_| Failure::UpstreamBroken)?)
        } else {
            let code = http_code(status.code.cast_unsigned(), Codes::Standard);
            (code, status_json(self.services.pool(), status))
        };
        let mut response = Response::new(Body::full(json.into()));
        *response.status_mut() = code;
        *response.headers_mut() = metadata(head.headers);
        response.headers_mut().insert(CONTENT_TYPE, JSON);
        Ok(response)
    }

    /// The answer of a method that has any number of messages: as they come, or an error that came first.
    pub(super) async fn stream(
        &self,
        request: &Request<RequestBody>,
        response: Response<Body>,
    ) -> Result<Response<Body>, Failure> {
        let told = read_status(response.headers());
        if told.as_ref().is_some_and(|status| status.code != 0) || !is_grpc(&response) {
            return self.one(request, response).await;
        }
        let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        let form = stream_text::Form::accepted(accept).unwrap_or(stream_text::Form::Lines);
        let (mut head, body) = response.into_parts();
        clean_response(&mut head.headers)?;
        // A head that tells of success is all of a stream without messages.
        let body = if told.is_some() {
            Body::full(form.end())
        } else {
            Body::made(Messages::new(body, form, Arc::clone(&self.services), Arc::clone(&self.binding)))
        };
        let mut response = Response::new(body);
        *response.headers_mut() = metadata(head.headers);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
        Ok(response)
    }
}

/// Whether a reply is one of gRPC.
pub(super) fn is_grpc(response: &Response<Body>) -> bool {
    let type_ = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    response.status() == StatusCode::OK && type_.is_some_and(|type_| type_.starts_with(b"application/grpc"))
}

/// What of a reply's head is for the client: what the service itself put there.
fn metadata(headers: HeaderMap) -> HeaderMap {
    let is_own = |name: &str| !name.starts_with("grpc-") && !name.ends_with("-bin") && name != "content-length";
    let mut last = None;
    let mut kept = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        last = name.or(last);
        if let Some(name) = last.as_ref().filter(|name| is_own(name.as_str())) {
            kept.append(name.clone(), value);
        }
    }
    kept
}
