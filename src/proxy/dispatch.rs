//! Dispatch: from a request head to the rule that takes it, and from the rule's answer or failure
//! to the response.

use super::{
    admission,
    body::Body,
    context::{self, RequestContext, X_REQUEST_ID},
    core::{Core, Phase},
    error::Failure,
    exchange::Exchange,
    extended,
    fields::{Scan, count_hop},
    found::Found,
    handler::{self, Routed},
    installed::Installed,
    limiter::{Asked, Told},
    outgoing::Outgoing,
    peer::Peer,
    reply::{Form, reply},
    request_body::RequestBody,
};
use crate::{
    metrics::Protection,
    model::rule::{PathSafety, Rule},
    table::{
        Outcome, RequestView,
        path::{forwarded, normalise},
    },
};
use futures_util::FutureExt as _;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
    header::{CONNECTION, CONTENT_LENGTH, STRICT_TRANSPORT_SECURITY},
    uri::PathAndQuery,
};
use std::{panic::AssertUnwindSafe, pin::pin, rc::Rc};

/// Answers one request. Never fails: what goes wrong becomes a response, a panic too.
pub(crate) async fn dispatch(core: &Rc<Core>, peer: &Rc<Peer>, request: &mut Outgoing) -> Response<Body> {
    let table = core.table();
    let mut exchange = Exchange::open(core, &table, peer, request);
    let mut scan = admission::scan(request.headers(), peer.trusted);
    let id = context::request_id(request.headers(), &scan, &mut core.ids.borrow_mut());
    exchange.identified(&id);
    extended::read(request);
    let (version, is_head) = (request.version(), request.method() == Method::HEAD);
    let mut answer = Answer { core, peer, table: &table, rule: None, secure: peer.tls, limits: None };
    let form = Form::of(request);
    let answered = {
        let making = pin!(answer.to(request, &mut scan, &id, &mut exchange));
        caught(core, AssertUnwindSafe(making).catch_unwind().await)
    };
    let mut response = answered.unwrap_or_else(|failure| {
        exchange.failed(&failure, form.grpc_status(&failure));
        reply(&failure, form)
    });
    answer.finish(version, id, &mut response);
    if is_head {
        leave_content_out(&mut response);
    }
    exchange.answered(response.status());
    response.body_mut().settle(exchange);
    response
}

/// What came of a request; a failure where finding that out panicked.
fn caught<T>(core: &Core, made: std::thread::Result<Result<T, Failure>>) -> Result<T, Failure> {
    made.unwrap_or_else(|_| {
        core.metrics.panics.add(1);
        Err(Failure::Panicked)
    })
}

/// The answer to who asks no further than here. What TRACE would show is nobody's business.
fn last_hop(method: &Method) -> Result<Response<Body>, Failure> {
    if *method == Method::TRACE {
        return Err(Failure::MethodNotAllowed(vec![Method::OPTIONS]));
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// hyper sends no content to HEAD over HTTP/1, but does over HTTP/2.
fn leave_content_out(response: &mut Response<Body>) {
    if let Some(bytes) = response.body_mut().leave_out() {
        response.headers_mut().insert(CONTENT_LENGTH, bytes.into());
    }
}

/// What is known of an answer while it is made.
struct Answer<'t> {
    core: &'t Rc<Core>,
    peer: &'t Peer,
    table: &'t Installed,
    rule: Option<&'t Rule>,
    /// The client came over TLS, to us or to a trusted proxy.
    secure: bool,
    /// What the client is told of the limits of the route.
    limits: Option<Told<'t>>,
}

impl<'t> Answer<'t> {
    async fn to(
        &mut self,
        request: &mut Outgoing,
        scan: &mut Scan,
        id: &HeaderValue,
        exchange: &mut Exchange,
    ) -> Result<Response<Body>, Failure> {
        let Self { core, peer, table, .. } = *self;
        let found = find(core, peer, table, request, scan)?;
        let id_of_rule = *found.matched.payload;
        let rule: &'t Rule = table.rule(id_of_rule);
        self.rule = Some(rule);
        exchange.routed(id_of_rule);
        let context = context::establish(request, scan, peer, &core.settings.trusted, id);
        exchange.came_from(context.client);
        self.secure = context.secure;
        let target = check(core, peer, &context, rule, &found, request)?;
        if let Some(limits) = &rule.options.limits {
            let path = found.path(request.uri());
            let (client, headers, matched) = (context.client, request.headers(), &found.matched);
            let asked = Asked { client, headers, matched, path, now: exchange.began() };
            let (told, admitted) = core.limiter.admit(&core.metrics, limits, &asked).await;
            self.limits = Some(told);
            admitted?;
        }
        if !count_hop(request) {
            return last_hop(request.method());
        }
        let routed = Routed { core, table, rule, context: &context, target, found: &found };
        handler::handle(&routed, request, exchange).await
    }

    /// What every response gets, whoever made it.
    fn finish(self, version: Version, id: HeaderValue, response: &mut Response<Body>) {
        let tunnel = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(X_REQUEST_ID, id);
        if let Some(hsts) = self.rule.and_then(|rule| rule.options.hsts.as_ref()).filter(|_| self.secure) {
            headers.insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        if let Some(limits) = self.limits {
            limits.add_to(headers);
        }
        if self.core.phase() > Phase::Serving && version != Version::HTTP_2 && !tunnel {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// Looks up the rule that takes a request.
fn find<'t>(
    core: &Core,
    peer: &Peer,
    table: &'t Installed,
    request: &Request<RequestBody>,
    scan: &Scan,
) -> Result<Found<'t>, Failure> {
    admission::admit(request, scan, core.limits()).inspect_err(|_| core.metrics.protect(Protection::Admission))?;
    let host = admission::host(request).inspect_err(|_| core.metrics.protect(Protection::Admission))?;
    if peer.is_misdirected(&host) {
        core.metrics.protect(Protection::Admission);
        return Err(Failure::Misdirected);
    }
    let normalised = normalise(request.uri().path());
    let view = RequestView {
        host: &host,
        path: &normalised.path,
        method: request.method(),
        headers: request.headers(),
        query: request.uri().query(),
    };
    let matched = match table.generation().table.find(&view) {
        Outcome::Found(found) => found,
        Outcome::MethodNotAllowed(methods) => return Err(Failure::MethodNotAllowed(methods)),
        Outcome::NotFound if table.is_empty() => return Err(Failure::NotStarted),
        Outcome::NotFound => return Err(Failure::NoRoute),
    };
    let path = match normalised.path {
        std::borrow::Cow::Borrowed(_) => None,
        std::borrow::Cow::Owned(path) => Some(path),
    };
    Ok(Found { matched, path, ambiguity: normalised.ambiguity })
}

/// What the rule itself asks of the request, before anything is sent; then the target to send.
fn check(
    core: &Core,
    peer: &Peer,
    context: &RequestContext,
    rule: &Rule,
    found: &Found<'_>,
    request: &Request<RequestBody>,
) -> Result<Option<Uri>, Failure> {
    if let Some(ambiguity) = found.ambiguity.filter(|ambiguity| !rule.options.path_safety.permits(*ambiguity)) {
        core.metrics.protect(Protection::Admission);
        return Err(Failure::AmbiguousPath(ambiguity.as_str()));
    }
    if rule.options.redirect_to_https && !context.secure {
        return Err(https_required(request));
    }
    if let Some(wanted) = &rule.clients {
        peer.validated(wanted)?;
    }
    if rule.broken.is_some() {
        return Err(Failure::Misconfigured);
    }
    if core.is_overloaded() {
        core.metrics.protect(Protection::Requests);
        return Err(Failure::Overloaded);
    }
    if core.limits().body_bytes.is_some_and(|most| declared_length(request.headers()) > most) {
        return Err(Failure::BodyTooLarge);
    }
    target(rule, found, request.uri())
}

fn declared_length(headers: &HeaderMap) -> u64 {
    headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The address to use instead. It has no port, whichever the client came in by: HTTPS is served at its
/// own, and the gateway cannot know which port of a load balancer leads to it.
fn https_required(request: &Request<RequestBody>) -> Failure {
    let host = admission::host(request).unwrap_or_default();
    if host.is_empty() {
        return Failure::BadRequest("The request has no Host field, so there is no address to redirect it to.");
    }
    let target = request.uri().path_and_query().map(PathAndQuery::as_str).filter(|target| target.starts_with('/'));
    Failure::HttpsRequired(format!("https://{host}{}", target.unwrap_or("/")))
}

/// The path and query for the endpoint; `None` where the target goes on as it came.
fn target(rule: &Rule, found: &Found<'_>, uri: &Uri) -> Result<Option<Uri>, Failure> {
    let cut = if rule.options.trim_prefix { found.matched.prefix_len } else { 0 };
    let raw = rule.options.path_safety == PathSafety::Raw;
    let Some(path) = forwarded(uri.path(), found.path.as_deref(), cut, raw) else { return Ok(origin_form(uri)) };
    let query = uri.query().map_or(String::new(), |query| format!("?{query}"));
    let text = format!("{path}{query}");
    let refused = |_| Failure::BadRequest("The path cannot be passed on after its prefix was cut.");
    text.parse().map(Some).map_err(refused)
}

fn origin_form(uri: &Uri) -> Option<Uri> {
    uri.authority()?;
    Some(uri.path_and_query().cloned().map_or_else(Uri::default, Uri::from))
}
