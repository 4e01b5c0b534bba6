//! The admin listener: probes and metrics, nothing else. It has a thread of its own, so that it
//! answers when the data path is busy.

mod spare;

use crate::{lifecycle::Readiness, metrics::Metrics};
use bytes::Bytes;
use http::{
    Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE},
};
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use spare::Spare;
use std::{convert::Infallible, net::TcpListener, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// Probes and scrapers come one at a time; more than this are made to wait.
const MOST_CONNECTIONS: usize = 64;
/// How long a request head may take. Connections that say nothing must not keep probes waiting.
const HEAD_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a connection may last: it carries one request, and a scraper may read slowly.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

/// What the admin listener tells of.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Whether the process is ready, and what it waits for.
    pub readiness: Readiness,
    /// What was counted.
    pub metrics: Arc<Metrics>,
}

impl Admin {
    /// Serves until the runtime that it runs on ends.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub async fn serve(self, socket: TcpListener) -> std::io::Result<()> {
        let listener = Arc::new(tokio::net::TcpListener::from_std(socket)?);
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let spare = Spare::default();
        spare.fill(&listener);
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return Ok(()) };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (admin, spare, listener) = (self.clone(), spare.clone(), Arc::clone(&listener));
                    tokio::spawn(async move {
                        admin.connection(stream).await;
                        // Before anybody else takes the descriptor that is free now.
                        spare.fill(&listener);
                        drop(place);
                    });
                }
                // The connection still waits, and now there is a descriptor for it.
                Err(_) if spare.give_up() => {}
                Err(error) => {
                    tracing::warn!(%error, "the admin listener cannot accept for a moment");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn connection(self, stream: tokio::net::TcpStream) {
        let service = service_fn(|request| {
            let response = self.answer(&request);
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .keep_alive(false)
            // Some probers finish sending before they read.
            .half_close(true)
            .serve_connection(TokioIo::new(stream), service);
        // A prober that goes away, or is too slow, is no event.
        let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let verbose =
            request.uri().query().is_some_and(|query| query.split('&').any(|part| part.starts_with("verbose")));
        let known = matches!(request.uri().path(), "/livez" | "/startupz" | "/readyz" | "/metrics");
        if known && !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
            response.headers_mut().insert(ALLOW, http::HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match request.uri().path() {
            "/livez" | "/startupz" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.ready(verbose),
            "/metrics" => {
                let mut response = text(StatusCode::OK, self.metrics.text());
                let form = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
                response.headers_mut().insert(CONTENT_TYPE, form);
                response
            }
            _ => text(StatusCode::NOT_FOUND, "not found: this listener has /livez, /startupz, /readyz and /metrics\n"),
        }
    }

    fn ready(&self, verbose: bool) -> Response<Full<Bytes>> {
        let (status, word) = match self.readiness.is_ready() {
            true => (StatusCode::OK, "ok\n"),
            false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
        };
        let details = if verbose || status != StatusCode::OK { self.readiness.describe() } else { String::new() };
        text(status, format!("{details}{word}"))
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use std::net::SocketAddr;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    async fn ask(admin: &Admin, method: Method, path: &str) -> (StatusCode, String) {
        let response = admin.answer(&Request::builder().method(method).uri(path).body(()).unwrap());
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn every_path_but_four_is_404() {
        let admin = Admin { readiness: Readiness::default(), metrics: Arc::new(Metrics::new(1, 10).unwrap()) };
        admin.readiness.waits("table", "first");
        for (path, expected) in [
            ("/livez", 200),
            ("/startupz", 200),
            ("/readyz", 503),
            ("/metrics", 200),
            ("/", 404),
            ("/metrics/", 404),
            ("/management/config", 404),
            ("/debug/pprof", 404),
        ] {
            assert_eq!(ask(&admin, Method::GET, path).await.0.as_u16(), expected, "{path}");
        }
        assert_eq!(ask(&admin, Method::POST, "/metrics").await.0.as_u16(), 405);
        let (_, text) = ask(&admin, Method::GET, "/readyz?verbose").await;
        assert_eq!(text, "[-] table waiting: first\nnot ready\n");
    }

    async fn probe(address: SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn connections_that_stay_open_do_not_starve_the_probes() {
        let admin = Admin { readiness: Readiness::default(), metrics: Arc::new(Metrics::new(1, 10).unwrap()) };
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap();
        let serving = tokio::spawn(admin.serve(socket));
        for first in ["", "GET /livez HTTP/1.1\r\nhost: a\r\nconnection: keep-alive\r\n\r\n"] {
            let mut open = Vec::new();
            for _ in 0..MOST_CONNECTIONS {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(first.as_bytes()).await.unwrap();
                open.push(stream);
            }
            let answer = tokio::time::timeout(2 * HEAD_TIMEOUT, probe(address)).await.expect("it must be answered");
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("ok\n"), "{answer}");
            drop(open);
        }
        serving.abort();
    }
}
