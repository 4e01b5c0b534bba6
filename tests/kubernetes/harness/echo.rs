//! An HTTP server that stands for a pod: it answers with its own name and the request it saw.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::{IpAddr, SocketAddr},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Request, Response,
    body::{Bytes, Incoming},
    header::CONTENT_TYPE,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};

/// A running echo server; dropping it closes the listener and every connection.
///
/// The report is JSON: `pod`, `method`, `path` with the query, `headers` (name to list of values),
/// `body` as text, and `version` (`HTTP/1.1`).
#[derive(Debug)]
pub(crate) struct Echo {
    address: SocketAddr,
    tasks: JoinSet<()>,
}

impl Echo {
    /// Serves as the pod `name` on `address`; port 0 takes any free port.
    pub(crate) async fn start(name: &str, address: IpAddr, port: u16) -> Self {
        let listener = TcpListener::bind((address, port))
            .await
            .unwrap_or_else(|error| panic!("{address} must be a local address: {error}"));
        let address = listener.local_addr().expect("a listener has an address");
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, name.to_owned()));
        Self { address, tasks }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the listener and every connection, as a pod that is killed does.
    pub(crate) async fn kill(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn accept(listener: TcpListener, name: String) {
    // The connections end with this task, because the set is its own.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let name = name.clone();
        connections.spawn(async move {
            let service = service_fn(|request| report(&name, request));
            // A client that goes away in the middle is no concern of a pod.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn report(name: &str, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map_or_else(|error| format!("unreadable: {error}").into(), http_body_util::Collected::to_bytes);
    let seen = json!({
        "pod": name,
        "method": head.method.as_str(),
        "path": head.uri.to_string(),
        "headers": header_lists(&head.headers),
        "body": String::from_utf8_lossy(&body),
        "version": format!("{:?}", head.version),
    });
    let mut response = Response::new(Full::from(seen.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    Ok(response)
}

fn header_lists(headers: &HeaderMap) -> BTreeMap<&str, Vec<String>> {
    let mut lists: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        lists.entry(name.as_str()).or_default().push(text);
    }
    lists
}
