//! The demo: endpoints in this process, three that echo and one that greets.
//!
//! In a cluster the endpoints of a Service come from its pods. Here the process plays the pods: it
//! adds one EndpointSlice for each of its servers to what the folder says.

mod greeter;
mod grpc;
mod mucp;

use crate::control::change::{Change, Object};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use k8s_openapi::{
    api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::net::TcpListener;

/// The Service that the echo endpoints stand behind, and its port.
const ECHO: (&str, &str) = ("echo", "http");
const NAMES: [&str; 3] = ["echo-1", "echo-2", "echo-3"];
/// The Service of the greeter, and its ports by what they speak.
const GREETER: &str = "greeter";
const MUCP: &str = "mucp";
const GRPC: &str = "grpc";
const NAMESPACE: &str = "default";
/// The largest body that is taken.
const MOST_BYTES: usize = 1024 * 1024;

/// Starts the endpoints on free ports of the loopback address.
///
/// # Errors
/// When no port is free.
pub async fn start() -> std::io::Result<Vec<Change>> {
    let mut slices = Vec::new();
    for name in NAMES {
        let (listener, address) = listen().await?;
        slices.push(slice(name, ECHO.0, &[(ECHO.1, address)]));
        tokio::spawn(serve(listener, move |request| echo(name, request)));
    }
    let ((mucp, mucp_address), (grpc, grpc_address)) = (listen().await?, listen().await?);
    slices.push(slice("greeter-1", GREETER, &[(MUCP, mucp_address), (GRPC, grpc_address)]));
    tokio::spawn(serve(mucp, mucp::answer));
    tokio::spawn(serve_grpc(grpc));
    Ok(slices.into_iter().map(|slice| Change::Upsert(Object::EndpointSlice(Arc::new(slice)))).collect())
}

async fn listen() -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// The endpoint of a Service, with the names of its ports.
fn slice(name: &str, service: &str, ports: &[(&str, SocketAddr)]) -> EndpointSlice {
    let label = ("kubernetes.io/service-name".to_owned(), service.to_owned());
    let port = |(name, address): &(&str, SocketAddr)| EndpointPort {
        name: Some((*name).to_owned()),
        port: Some(address.port().into()),
        ..EndpointPort::default()
    };
    EndpointSlice {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(NAMESPACE.to_owned()),
            labels: Some([label].into()),
            ..ObjectMeta::default()
        },
        address_type: "IPv4".to_owned(),
        ports: Some(ports.iter().map(port).collect()),
        endpoints: vec![Endpoint {
            addresses: vec![Ipv4Addr::LOCALHOST.to_string()],
            conditions: Some(EndpointConditions { ready: Some(true), ..EndpointConditions::default() }),
            ..Endpoint::default()
        }],
    }
}

/// Serves HTTP/1.1.
async fn serve<F>(listener: TcpListener, answer: impl Fn(Request<Incoming>) -> F + Copy + Send + Sync + 'static)
where
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let service = service_fn(|request| async move { Ok::<_, Infallible>(answer(request).await) });
            // A client that goes away is no event.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Serves HTTP/2 without TLS.
async fn serve_grpc(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let service = service_fn(|request| async { Ok::<_, Infallible>(grpc::answer(request).await) });
            let connection = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service);
            // As above.
            let _ = connection.await;
        });
    }
}

/// Tells what arrived: method, path, fields and body.
async fn echo(name: &str, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, MOST_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return plain(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => return plain(StatusCode::BAD_REQUEST),
    };
    let told = serde_json::json!({
        "endpoint": name,
        "method": parts.method.as_str(),
        "path": parts.uri.path(),
        "query": parts.uri.query(),
        "headers": fields(&parts.headers),
        "body": String::from_utf8_lossy(&body),
    });
    let mut response = Response::new(Full::from(format!("{told:#}\n")));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn fields(headers: &HeaderMap) -> serde_json::Map<String, serde_json::Value> {
    let mut fields = serde_json::Map::new();
    for name in headers.keys() {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        fields.insert(name.to_string(), values.join(", ").into());
    }
    fields
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
