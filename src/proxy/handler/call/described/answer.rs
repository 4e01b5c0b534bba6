//! Requests of plain HTTP: a message of JSON in, one message or a stream of them out.

use super::{
    super::{body_of, reading, target::Target},
    host_of, learn,
    messages::Messages,
};
use crate::{
    proxy::{
        body::Body,
        clock::TICK,
        error::Failure,
        exchange::Exchange,
        fields::clean_response,
        handler::Routed,
        outgoing::Outgoing,
        reply::bad_argument,
        request_body::{BodyWatch, RequestBody},
        retry,
    },
    rpc::{
        codec::Codec,
        fault::{Codes, RpcStatus, http_code, read_status},
        frame,
        grpc::Call,
        metadata::of_headers,
        stream_text,
        transcode::{BadRequest, Binding, Services, status_json},
    },
    table::{Outcome, RequestView, path::normalise},
};
use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST},
    response::Parts,
};
use std::{rc::Rc, sync::Arc, time::Duration};

/// A service that notices first that its time is up may reset the call, which says less than that it was late. So
/// it is told a little more than there is.
const GRACE: Duration = TICK.saturating_mul(3);

const JSON: HeaderValue = HeaderValue::from_static("application/json");

pub(super) async fn answer(
    routed: &Routed<'_>,
    target: &Target,
    request: &mut Outgoing,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Failure> {
    let began = routed.core.clock.now();
    let services = learn::services(routed, target.upstream, host_of(routed, target)).await?;
    let (body, watch) = body_of(routed, request).await?;
    let (binding, messages) = match message(routed, &services, request, &body)? {
        Ok(found) => found,
        Err(bad) => {
            exchange.failed(&Failure::BadRequest("a message could not be made"), None);
            return Ok(bad_argument(&bad.to_string(), part(&bad)));
        }
    };
    let call = Described { routed, target, services, binding, began };
    let response = call.send(request, messages, watch, exchange).await?;
    if call.binding.is_server_streaming() {
        call.stream(request, response).await
    } else {
        call.one(request, response).await
    }
}

type Message = (Arc<Binding>, Vec<Bytes>);

/// The method that a request calls, and its messages.
fn message(
    routed: &Routed<'_>,
    services: &Services,
    request: &Request<RequestBody>,
    body: &Bytes,
) -> Result<Result<Message, BadRequest>, Failure> {
    let path = normalise(routed.path(request)).path;
    let (method, headers, query) = (request.method(), request.headers(), request.uri().query());
    let found = match services.find(&RequestView { host: "", path: &path, method, headers, query }) {
        Outcome::Found(found) => found,
        Outcome::MethodNotAllowed(methods) => return Err(Failure::MethodNotAllowed(methods)),
        Outcome::NotFound => return Err(Failure::NoMethod),
    };
    let (binding, captures) = (found.payload, found.captures(&path));
    let messages = if binding.is_client_streaming() {
        lines(body).map(|line| binding.message_of_json(line)).collect()
    } else {
        binding.message(captures.iter(), query, body).map(|message| vec![message])
    };
    Ok(messages.map(|messages| (Arc::clone(binding), messages)))
}

/// The messages of a body with one in each line.
fn lines(body: &Bytes) -> impl Iterator<Item = &[u8]> {
    body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

const fn part(bad: &BadRequest) -> &'static str {
    match bad {
        BadRequest::Body(_) | BadRequest::NoBody => "body",
        BadRequest::Query(_) | BadRequest::TooMany => "query",
        BadRequest::Path(_) => "path",
    }
}

/// A call of a method that is known.
struct Described<'c> {
    routed: &'c Routed<'c>,
    target: &'c Target,
    services: Arc<Services>,
    binding: Arc<Binding>,
    /// The tick at which the time of the request began.
    began: u64,
}

impl Described<'_> {
    async fn send(
        &self,
        request: &Request<RequestBody>,
        messages: Vec<Bytes>,
        watch: Option<Rc<BodyWatch>>,
        exchange: &mut Exchange,
    ) -> Result<Response<Body>, Failure> {
        let plan = self.routed.plan(self.target.upstream, request)?;
        let is_stream = self.binding.is_server_streaming() || self.binding.is_client_streaming();
        let timeout = plan.time().filter(|_| !is_stream).map(|time| time.saturating_add(GRACE));
        let metadata = of_headers(request.headers());
        let path = self.binding.path();
        let call = Call { service: "", method: &path, codec: Codec::Protobuf, timeout, metadata: &metadata };
        let mut called = call.open().map_err(|_| Failure::NoMethod)?;
        if let Some(host) = request.headers().get(HOST) {
            called.headers_mut().insert(HOST, host.clone());
        }
        let body = sealed(&messages).ok_or(Failure::BodyTooLarge)?;
        called.headers_mut().insert(CONTENT_LENGTH, body.len().into());
        let mut called = Outgoing::new(called.map(|()| RequestBody::whole(body)));
        retry::send(&plan, &mut called, watch, exchange).await
    }

    /// The answer of a method that has one message.
    async fn one(&self, request: &Request<RequestBody>, response: Response<Body>) -> Result<Response<Body>, Failure> {
        let (mut head, body) = response.into_parts();
        clean_response(&mut head.headers)?;
        if let Some(status) = read_status(&head.headers) {
            return self.ended(head, &status, &Bytes::new());
        }
        if !is_grpc(&head) {
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
    async fn stream(
        &self,
        request: &Request<RequestBody>,
        response: Response<Body>,
    ) -> Result<Response<Body>, Failure> {
        if read_status(response.headers()).is_some_and(|status| status.code != 0) || !is_grpc_head(&response) {
            return self.one(request, response).await;
        }
        let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        let form = stream_text::Form::accepted(accept).unwrap_or(stream_text::Form::Lines);
        let (mut head, body) = response.into_parts();
        clean_response(&mut head.headers)?;
        let messages = Messages::new(body, form, Arc::clone(&self.services), Arc::clone(&self.binding));
        let mut response = Response::new(Body::made(messages));
        *response.headers_mut() = metadata(head.headers);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
        Ok(response)
    }
}

/// Messages in the frames of gRPC.
fn sealed(messages: &[Bytes]) -> Option<Bytes> {
    if let [message] = messages {
        return frame::write(message);
    }
    let mut all = BytesMut::new();
    for message in messages {
        all.extend_from_slice(&frame::write(message)?);
    }
    Some(all.freeze())
}

fn is_grpc(head: &Parts) -> bool {
    let type_ = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    head.status == StatusCode::OK && type_.is_some_and(|type_| type_.starts_with(b"application/grpc"))
}

fn is_grpc_head(response: &Response<Body>) -> bool {
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
