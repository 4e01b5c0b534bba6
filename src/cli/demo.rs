//! The demo: three echo endpoints in this process, and what a newcomer can try.
//!
//! In a cluster the endpoints of a Service come from its pods. Here the process plays the pods: it
//! adds one EndpointSlice for each of its echo servers to what the folder says.

use crate::control::change::{Change, Object};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use k8s_openapi::{
    api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use std::{convert::Infallible, net::SocketAddr, sync::Arc};
use tokio::net::TcpListener;

/// The Service that the echo endpoints stand behind.
pub const SERVICE: &str = "echo";
const NAMESPACE: &str = "default";
const PORT_NAME: &str = "http";
const NAMES: [&str; 3] = ["echo-1", "echo-2", "echo-3"];
/// The largest body that is echoed.
const MOST_BYTES: usize = 1024 * 1024;

/// Starts the echo endpoints on free ports of the loopback address.
///
/// # Errors
/// When no port is free.
pub async fn start() -> std::io::Result<Vec<Change>> {
    let mut slices = Vec::new();
    for name in NAMES {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        slices.push(Change::Upsert(Object::EndpointSlice(Arc::new(slice(name, listener.local_addr()?)))));
        tokio::spawn(serve(name, listener));
    }
    Ok(slices)
}

fn slice(name: &str, address: SocketAddr) -> EndpointSlice {
    let label = ("kubernetes.io/service-name".to_owned(), SERVICE.to_owned());
    EndpointSlice {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(NAMESPACE.to_owned()),
            labels: Some([label].into()),
            ..ObjectMeta::default()
        },
        address_type: "IPv4".to_owned(),
        ports: Some(vec![EndpointPort {
            name: Some(PORT_NAME.to_owned()),
            port: Some(address.port().into()),
            ..EndpointPort::default()
        }]),
        endpoints: vec![Endpoint {
            addresses: vec![address.ip().to_string()],
            conditions: Some(EndpointConditions { ready: Some(true), ..EndpointConditions::default() }),
            ..Endpoint::default()
        }],
    }
}

async fn serve(name: &'static str, listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let service = service_fn(|request| async { Ok::<_, Infallible>(echo(name, request).await) });
            // A client that goes away is no event.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
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
