//! Copies of requests for another Service. Nobody waits for them, what is answered is thrown away,
//! and where there are too many under way requests go uncopied.

use super::Routed;
use crate::{
    live::generation::Generation,
    metrics::Mirrored,
    model::rule::{Mirror, Overrides},
    proxy::{
        balancer::hash_of,
        body::Body,
        core::Core,
        outgoing::Outgoing,
        request_body::{RequestBody, Tapped},
        retry::{self, Plan},
    },
    table::swap::Numbered,
};
use ::http::{
    HeaderMap, Method, Request, Uri, Version,
    header::{EXPECT, UPGRADE},
};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use std::{rc::Rc, sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// Most bytes of a body that is copied.
const MOST_BYTES: usize = 64 * 1024;
/// Copies of one core under way, their bodies included.
const MOST_COPIES: usize = 128;
/// How long the answer to a copy may take after its head, so that its connection may be used again.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// Sends a copy of a request on its way, if the rule wants one of this request.
pub(super) fn copy(routed: &Routed<'_>, mirror: &Mirror, request: &mut Request<RequestBody>) {
    let core = routed.core;
    let chosen = mirror.percent >= 100 || core.random.borrow_mut().u8(..100) < mirror.percent;
    if !chosen || request.headers().contains_key(UPGRADE) {
        return;
    }
    let Some(place) = Place::take(core) else { return core.metrics.mirrored(Mirrored::Overflow) };
    if request.body().size_hint().lower() > MOST_BYTES as u64 {
        return core.metrics.mirrored(Mirrored::TooLarge);
    }
    let mut headers = request.headers().clone();
    headers.remove(EXPECT);
    let duplicate = Duplicate {
        place,
        generation: routed.table.generation_held(),
        mirror: *mirror,
        client: routed.context.client,
        method: request.method().clone(),
        target: request.uri().clone(),
        version: request.version(),
        headers,
        body: (!request.body().is_end_stream()).then(|| request.body_mut().tap(MOST_BYTES)),
    };
    tokio::task::spawn_local(duplicate.run());
}

/// A place among the copies under way.
struct Place(Rc<Core>);

impl Place {
    fn take(core: &Rc<Core>) -> Option<Self> {
        let taken = core.mirrors.get();
        (taken < MOST_COPIES).then(|| {
            core.mirrors.set(taken + 1);
            Self(Rc::clone(core))
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.mirrors.set(self.0.mirrors.get() - 1);
    }
}

/// A copy on its way.
struct Duplicate {
    place: Place,
    /// The one that the request itself is served by.
    generation: Arc<Numbered<Generation>>,
    mirror: Mirror,
    client: std::net::IpAddr,
    method: Method,
    target: Uri,
    /// Says in which form the head is.
    version: Version,
    headers: HeaderMap,
    /// Where the body arrives once all of it has passed.
    body: Option<oneshot::Receiver<Tapped>>,
}

impl Duplicate {
    async fn run(mut self) {
        let body = match self.body.take() {
            None => Ok(RequestBody::empty()),
            Some(copy) => match copy.await {
                Ok(Tapped::Whole(bytes)) => Ok(RequestBody::whole(bytes)),
                Ok(Tapped::TooLarge) => Err(Mirrored::TooLarge),
                Err(_) => Err(Mirrored::Incomplete),
            },
        };
        let core = Rc::clone(&self.place.0);
        let result = match body {
            Ok(body) => self.send(&core, body).await,
            Err(why) => why,
        };
        core.metrics.mirrored(result);
    }

    async fn send(self, core: &Rc<Core>, body: RequestBody) -> Mirrored {
        let Generation { snapshot, cells, .. } = &self.generation.value;
        let at = self.mirror.target.index();
        let (upstream, cell) = (&snapshot.upstreams[at], &cells[at]);
        let Some(transport) = &upstream.transport else { return Mirrored::Failed };
        let mut request = Request::new(body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.target;
        *request.version_mut() = self.version;
        *request.headers_mut() = self.headers;
        let hash = hash_of(&upstream.policy.balancing.strategy, self.client, request.headers(), request.uri());
        let plan = Plan { core, upstream, transport, cell, overrides: &Overrides::default(), hash, deadline: None };
        let Ok(response) = retry::send_once(&plan, &mut Outgoing::new(request)).await else { return Mirrored::Failed };
        // Whether it ends well or in time matters to nobody.
        let _ = tokio::time::timeout(ANSWER_TIME, discard(response.into_body())).await;
        Mirrored::Answered
    }
}

/// Reads a short body to its end; a longer one is not worth its connection.
async fn discard(mut body: Body) {
    let mut left = MOST_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let Some(less) = left.checked_sub(frame.data_ref().map_or(0, bytes::Bytes::len)) else { return };
        left = less;
    }
}
