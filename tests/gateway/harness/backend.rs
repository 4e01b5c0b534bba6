//! Servers that stand for pods: one that echoes and remembers, and one that follows a script and
//! may break any rule.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

use super::Wire;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A request as a backend saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The method.
    pub(crate) method: String,
    /// The request target.
    pub(crate) target: String,
    /// The fields in order.
    pub(crate) fields: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Bytes,
    /// Whether the body came with trailer fields, and which.
    pub(crate) trailers: HeaderMap,
}

impl Seen {
    /// All values of a field.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a field that is there once or not at all.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} stands there more than once: {:?}", self.fields);
        all.first().copied()
    }
}

type Answer = Response<Full<Bytes>>;

/// An HTTP/1.1 server that answers with the body of the request and remembers what it saw.
#[derive(Debug)]
pub(crate) struct Backend {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Backend {
    /// Echoes; answers carry `name` in `X-Backend`.
    pub(crate) async fn echo(name: &str) -> Self {
        Self::start(LOOPBACK, name, |seen| Response::new(Full::new(seen.body.clone()))).await
    }

    /// Echoes on an address of its own.
    pub(crate) async fn echo_on(address: IpAddr, name: &str) -> Self {
        Self::start(address, name, |seen| Response::new(Full::new(seen.body.clone()))).await
    }

    /// Gives these answers.
    pub(crate) async fn answering(answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(LOOPBACK, "answering", answer).await
    }

    async fn start(address: IpAddr, name: &str, answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let (listener, address) = listen(address).await;
        let (seen, connections) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::<AtomicUsize>::default());
        let service = Arc::new(Service { name: name.to_owned(), seen: Arc::clone(&seen), answer });
        let accepted = Arc::clone(&connections);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::Relaxed);
                let service = Arc::clone(&service);
                open.spawn(async move {
                    let serve = service_fn(|request| service.serve(request));
                    // A peer that goes away in the middle is no concern of a pod.
                    let _ = http1::Builder::new().max_headers(256).serve_connection(TokioIo::new(stream), serve).await;
                });
            }
        });
        Self { address, seen, connections, _tasks: tasks }
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// All requests that it has seen.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The latest request.
    pub(crate) fn last(&self) -> Seen {
        self.seen().pop().expect("the backend must have seen a request")
    }
}

struct Service<A> {
    name: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    answer: A,
}

impl<A: Fn(&Seen) -> Answer> Service<A> {
    async fn serve(&self, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string());
        let trailers = body.as_ref().ok().and_then(|body| body.trailers().cloned()).unwrap_or_default();
        let fields = head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value)));
        let seen = Seen {
            method: head.method.to_string(),
            target: head.uri.to_string(),
            fields: fields.collect(),
            body: body.map_or_else(|error| format!("unreadable: {error}").into(), http_body_util::Collected::to_bytes),
            trailers,
        };
        let mut answer = (self.answer)(&seen);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        let name = self.name.parse().expect("the name must be a field value");
        answer.headers_mut().insert("x-backend", name);
        Ok(answer)
    }
}

fn text(value: &hyper::header::HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

async fn listen(address: IpAddr) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((address, 0)).await.expect("a loopback port must be free");
    let address = listener.local_addr().expect("a listener has an address");
    (listener, address)
}

/// A server that does with each connection what the test says. It is told which connection it is,
/// counted from 0.
#[derive(Debug)]
pub(crate) struct Script {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Script {
    /// Follows `play` on each connection; the connection closes when it ends.
    pub(crate) async fn start<F, P>(play: P) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
        P: Fn(Wire, usize) -> F + Send + 'static,
    {
        let (listener, address) = listen(LOOPBACK).await;
        let connections = Arc::<AtomicUsize>::default();
        let accepted = Arc::clone(&connections);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let number = accepted.fetch_add(1, Ordering::Relaxed);
                open.spawn(play(Wire::over(stream), number));
            }
        });
        Self { address, connections, _tasks: tasks }
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}
