//! What tests of handlers stand on: a core that serves one rule, and services that answer by a script.

use super::{
    core::Core, dispatch::dispatch, exchange::tests::core as bare_core, installed::Installed, outgoing::Outgoing,
    peer::Peer, request_body::RequestBody,
};
use crate::{
    live::{
        cell::{EndpointCell, EndpointSet},
        endpoint::Endpoint,
        generation::Generation,
        route_stats::RouteStats,
    },
    metrics::Metrics,
    model::{
        endpoint::{Conditions, EndpointFacts, ZoneHint},
        rule::Rule,
        snapshot::{RuleId, Snapshot},
        target::ServicePort,
        transport::{Protocol, Transport},
        upstream::{Upstream, UpstreamPolicy},
    },
    rpc::registry::Dialect,
    settings::TrustedProxies,
    table::{self, Entry, HostPattern, PathPattern, Table, swap::Numbered},
};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
};
use tokio::{net::TcpListener, task::LocalSet};

/// A response as a service gives it: with trailers where there are any.
pub(crate) type Answer = Response<(Bytes, HeaderMap)>;

type Script = Box<dyn Fn(&Request<Bytes>) -> Option<Answer>>;

/// A service: what it speaks, what it was asked, and what it answers. No answer is silence.
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) dialect: Dialect,
    pub(crate) policy: UpstreamPolicy,
    pub(crate) asked: RefCell<Vec<Request<Bytes>>>,
    pub(crate) connections: Cell<usize>,
    answer: Script,
}

impl Service {
    pub(crate) fn new(
        name: &'static str,
        dialect: Dialect,
        answer: impl Fn(&Request<Bytes>) -> Option<Answer> + 'static,
    ) -> Self {
        let (asked, connections) = (RefCell::default(), Cell::default());
        Self { name, dialect, policy: UpstreamPolicy::default(), asked, connections, answer: Box::new(answer) }
    }

    /// What it was asked last.
    pub(crate) fn last(&self) -> Request<Bytes> {
        self.asked.borrow().last().cloned().expect("the service must have been asked")
    }

    async fn serve(self: Rc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            self.connections.set(self.connections.get() + 1);
            let (service, dialect) = (Rc::clone(&self), self.dialect);
            tokio::task::spawn_local(async move {
                let stream = TokioIo::new(stream);
                let reply = service_fn(move |request| Rc::clone(&service).reply(request));
                let _ = match dialect {
                    Dialect::Grpc => {
                        hyper::server::conn::http2::Builder::new(Local).serve_connection(stream, reply).await
                    }
                    _ => hyper::server::conn::http1::Builder::new().serve_connection(stream, reply).await,
                };
            });
        }
    }

    async fn reply(
        self: Rc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<impl http_body::Body<Data = Bytes, Error = Infallible> + use<>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
        let request = Request::from_parts(head, body);
        let answer = (self.answer)(&request);
        self.asked.borrow_mut().push(request);
        let Some(answer) = answer else { return std::future::pending().await };
        Ok(answer.map(|(bytes, trailers)| {
            let data = (!bytes.is_empty()).then(|| Ok(Frame::data(bytes)));
            let trailers = (!trailers.is_empty()).then(|| Ok(Frame::trailers(trailers)));
            StreamBody::new(futures_util::stream::iter(data.into_iter().chain(trailers)))
        }))
    }
}

#[derive(Clone, Copy)]
struct Local;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

/// A core that serves one rule for every host.
pub(crate) struct Stage {
    core: Rc<Core>,
    peer: Rc<Peer>,
}

impl Stage {
    /// The answer to a request.
    pub(crate) async fn ask(&self, request: Request<impl Into<Bytes>>) -> Response<Bytes> {
        let mut request = Outgoing::new(request.map(|body| RequestBody::whole(body.into())));
        let response = dispatch(&self.core, &self.peer, &mut request).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a body must end well").to_bytes();
        Response::from_parts(head, body)
    }
}

/// Runs a test against a core that serves this rule at a path, with these services as its upstreams.
pub(crate) async fn on_stage(path: PathPattern, rule: Rule, services: &[Rc<Service>], test: impl AsyncFnOnce(Stage)) {
    let metrics = Metrics::new(1, 10).expect("metrics must be made");
    let (core, local) = (bare_core(&metrics), LocalSet::new());
    let (running, mut upstreams, mut cells) = (Rc::clone(&core), Vec::new(), Vec::new());
    local.spawn_local(async move { running.clock.run().await });
    for service in services {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a loopback port must be free");
        let address = listener.local_addr().expect("a listener has an address");
        local.spawn_local(Rc::clone(service).serve(listener));
        upstreams.push(upstream(service));
        cells.push(cell(address, service));
    }
    let order = ("default/test".into(), 0);
    let conditions = table::Conditions::default();
    let entry = Entry { host: HostPattern::Any, path, conditions, created: 0, order, payload: RuleId(0) };
    let snapshot =
        Snapshot { rules: vec![Arc::new(rule)], upstreams, directory: HashMap::new(), ..Snapshot::default() };
    let stats = vec![Arc::new(RouteStats::new(1))];
    let value = Generation { snapshot, table: Table::build(vec![entry]), cells, stats, ..Generation::default() };
    core.install(Installed::new(Arc::new(Numbered { number: 1, value }), metrics.routes.unrouted()));
    let peer = Rc::new(Peer::new(([192, 0, 2, 1], 9).into(), false, &TrustedProxies::default()));
    local.run_until(test(Stage { core, peer })).await;
}

fn upstream(service: &Service) -> Upstream {
    let port = ServicePort { namespace: "default".into(), service: service.name.into(), port: 80 };
    let protocol = if service.dialect == Dialect::Grpc { Protocol::Http2 } else { Protocol::Http1 };
    let transport = Some(Transport { protocol, tls: None });
    Upstream { port, policy: service.policy.clone(), transport, dialect: service.dialect }
}

fn cell(address: SocketAddr, service: &Service) -> Arc<EndpointCell> {
    let facts = EndpointFacts {
        address,
        identity: service.name.into(),
        weight: 1,
        zone: "".into(),
        hint: ZoneHint::None,
        conditions: Conditions { ready: true, serving: true, terminating: false },
        metadata: Arc::default(),
    };
    let cell = EndpointCell::default();
    cell.store(EndpointSet::new([Arc::new(Endpoint::new(facts))].into(), &service.policy.balancing.strategy));
    Arc::new(cell)
}
