//! Servers that stand for pods that speak HTTP/2, each answer as the test says.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::StreamExt as _;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    HeaderMap, Request, Response, Uri, Version,
    body::{Bytes, Frame, Incoming},
    server::conn,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// A body that is sent frame by frame.
pub(crate) type Streamed = UnsyncBoxBody<Bytes, Infallible>;

/// A body of these frames.
pub(crate) fn frames(frames: Vec<Frame<Bytes>>) -> Streamed {
    UnsyncBoxBody::new(StreamBody::new(futures_util::stream::iter(frames).map(Ok)))
}

/// A body of frames that are still to come. Dropping the sender ends it.
pub(crate) fn piped() -> (mpsc::Sender<Frame<Bytes>>, Streamed) {
    let (sender, mut receiver) = mpsc::channel(1);
    let stream = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context)).map(Ok);
    (sender, UnsyncBoxBody::new(StreamBody::new(stream)))
}

/// A whole body.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Streamed {
    UnsyncBoxBody::new(Full::new(bytes.into()))
}

/// The answer of gRPC's health service, with this status in it.
pub(crate) fn health(status: u8) -> Response<Streamed> {
    let message = Frame::data(Bytes::from(vec![0, 0, 0, 0, 2, 8, status]));
    let end = HeaderMap::from_iter([("grpc-status".parse().expect("a name"), "0".parse().expect("a value"))]);
    let head = Response::builder().header("content-type", "application/grpc");
    head.body(frames(vec![message, Frame::trailers(end)])).expect("the answer must be valid")
}

/// The head of a request as a peer saw it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// HTTP/2 or HTTP/1.1.
    pub(crate) version: Version,
    /// The target, with scheme and authority in HTTP/2.
    pub(crate) target: Uri,
    /// The fields.
    pub(crate) headers: HeaderMap,
    /// The number of its connection, counted from 0.
    pub(crate) connection: usize,
}

/// A server that speaks HTTP/2 with who begins with it, and HTTP/1.1 with everybody else.
#[derive(Debug)]
pub(crate) struct Peer {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    calls: Arc<Mutex<Vec<Call>>>,
    _tasks: JoinSet<()>,
}

impl Peer {
    /// Answers with the body of the request.
    pub(crate) async fn echo() -> Self {
        Self::start(100, |request| async {
            let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes);
            Response::new(whole(body.unwrap_or_default()))
        })
        .await
    }

    /// Answers over TLS with the body of the request.
    pub(crate) async fn secure_echo(tls: ServerConfig) -> Self {
        Self::secure(tls, |request| async {
            let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes);
            Response::new(whole(body.unwrap_or_default()))
        })
        .await
    }

    /// Gives these answers over TLS.
    pub(crate) async fn secure<A, F>(tls: ServerConfig, answer: A) -> Self
    where
        A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<Streamed>> + Send + 'static,
    {
        Self::serve(100, Some(TlsAcceptor::from(Arc::new(tls))), answer).await
    }

    /// Gives these answers, to so many requests at a time on a connection.
    pub(crate) async fn start<A, F>(streams: u32, answer: A) -> Self
    where
        A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<Streamed>> + Send + 'static,
    {
        Self::serve(streams, None, answer).await
    }

    async fn serve<A, F>(streams: u32, tls: Option<TlsAcceptor>, answer: A) -> Self
    where
        A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<Streamed>> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a loopback port must be free");
        let address = listener.local_addr().expect("a listener has an address");
        let (connections, calls) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<Call>>>::default());
        let (accepted, seen) = (Arc::clone(&connections), Arc::clone(&calls));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let connection = accepted.fetch_add(1, Ordering::Relaxed);
                let serve = Serve { streams, connection, calls: Arc::clone(&seen), answer: answer.clone() };
                open.spawn(serve.stream(stream, tls.clone()));
            }
        });
        Self { address, connections, calls, _tasks: tasks }
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The heads of all requests that it has seen.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The latest of them.
    pub(crate) fn last(&self) -> Call {
        self.calls().pop().expect("the peer must have seen a request")
    }
}

struct Serve<A> {
    streams: u32,
    connection: usize,
    calls: Arc<Mutex<Vec<Call>>>,
    answer: A,
}

impl<A, F> Serve<A>
where
    A: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Response<Streamed>> + Send + 'static,
{
    async fn stream(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        // Else the last piece of a window waits for the kernel to confirm the ones before.
        let _ = stream.set_nodelay(true);
        if let Some(acceptor) = tls {
            // The gateway may refuse this peer's certificate.
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            return self.speak(stream, is_http2).await;
        }
        let mut start = [0; 3];
        let is_http2 = matches!(stream.peek(&mut start).await, Ok(3)) && start == *b"PRI";
        self.speak(stream, is_http2).await;
    }

    async fn speak(self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, is_http2: bool) {
        let (io, streams) = (TokioIo::new(stream), self.streams);
        let service = service_fn(move |request: Request<Incoming>| {
            let call = Call {
                version: request.version(),
                target: request.uri().clone(),
                headers: request.headers().clone(),
                connection: self.connection,
            };
            self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
            let answer = (self.answer)(request);
            async { Ok::<_, Infallible>(answer.await) }
        });
        // A peer that goes away in the middle is no concern of a pod.
        if is_http2 {
            let mut builder = conn::http2::Builder::new(TokioExecutor::new());
            let _ = builder.max_concurrent_streams(streams).serve_connection(io, service).await;
        } else {
            let _ = conn::http1::Builder::new().serve_connection(io, service).await;
        }
    }
}
