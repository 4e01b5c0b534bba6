//! An API server in miniature for tests: a function from a call to an answer, over loopback.

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};

/// A request as the fake sees it.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) accept: String,
    pub(crate) body: Value,
}

impl Call {
    pub(crate) fn is_watch(&self) -> bool {
        self.query.contains("watch=true")
    }
}

/// An answer.
pub(crate) enum Reply {
    Json(u16, Value),
    /// Lines of a watch, open until the sender is dropped.
    Lines(mpsc::UnboundedReceiver<Value>),
}

impl Reply {
    /// A `Status` object, as a real API server sends it.
    pub(crate) fn status(code: u16, reason: &str) -> Self {
        Self::Json(code, status(code, reason))
    }

    /// A list at version 10.
    pub(crate) fn list(items: &[Value]) -> Self {
        let body = json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": "10"}, "items": items});
        Self::Json(200, body)
    }
}

pub(crate) fn status(code: u16, reason: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason})
}

type Handler = Arc<dyn Fn(Call) -> Reply + Send + Sync>;

/// The running fake.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
    _tasks: JoinSet<()>,
}

impl Fake {
    pub(crate) async fn start(handler: impl Fn(Call) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let calls = Arc::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::new(handler), Arc::clone(&calls)));
        Self { address, calls, _tasks: tasks }
    }

    pub(crate) fn client(&self) -> kube::Client {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let url = format!("http://{}", self.address).parse().unwrap();
        kube::Client::try_from(super::client::prepared(kube::Config::new(url))).unwrap()
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

async fn accept(listener: TcpListener, handler: Handler, calls: Arc<Mutex<Vec<Call>>>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (handler, calls) = (Arc::clone(&handler), Arc::clone(&calls));
        connections.spawn(async move {
            let service =
                hyper::service::service_fn(move |request| answer(request, Arc::clone(&handler), Arc::clone(&calls)));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    handler: Handler,
    calls: Arc<Mutex<Vec<Call>>>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let call = Call {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        accept: parts.headers.get("accept").map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default(),
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    };
    calls.lock().unwrap().push(call.clone());
    let (code, body) = match handler(call) {
        Reply::Json(code, value) => (code, Full::new(Bytes::from(value.to_string())).boxed()),
        Reply::Lines(lines) => (200, BoxBody::new(StreamBody::new(Box::pin(frames(lines))))),
    };
    Ok(Response::builder().status(code).body(body).unwrap())
}

fn frames(
    lines: mpsc::UnboundedReceiver<Value>,
) -> impl futures_util::Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + Sync {
    stream::unfold(lines, |mut lines| async {
        let line = lines.recv().await?;
        Some((Ok(Frame::data(Bytes::from(format!("{line}\n")))), lines))
    })
}
