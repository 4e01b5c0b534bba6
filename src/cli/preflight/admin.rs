//! Whether a running gateway says that it is ready.

use super::{Finding, PATIENCE};
use bytes::Bytes;
use http::{Request, StatusCode, Uri, header::HOST};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Asks `GET /readyz?verbose`.
pub(super) async fn check(url: &str) -> Finding {
    let answer = timeout(PATIENCE, get(url)).await;
    match answer.unwrap_or_else(|_| Err(format!("no answer for {} s", PATIENCE.as_secs()))) {
        Ok((StatusCode::OK, _)) => Ok(format!("the gateway at {url} is ready")),
        Ok((status, body)) => {
            Err(format!("the gateway at {url} is not ready ({status}): {}", body.trim().replace('\n', "; ")))
        }
        Err(error) => Err(format!(
            "the gateway at {url} does not answer: {error}; check that its pods run and that no NetworkPolicy keeps \
             this one out"
        )),
    }
}

async fn get(url: &str) -> Result<(StatusCode, String), String> {
    let (authority, path) = target(url)?;
    let stream = TcpStream::connect(&authority).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let request = Request::get(path).header(HOST, &authority).body(Empty::<Bytes>::new());
    let exchange = async {
        let response = sender.send_request(request.map_err(|error| error.to_string())?);
        let response = response.await.map_err(|error| error.to_string())?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect();
        let body = body.await.map_err(|error| error.to_string())?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    };
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        // The connection may end first when the peer closes it after its answer.
        _ = connection => exchange.await,
    }
}

/// `host:port` and path of a URL.
fn target(url: &str) -> Result<(String, String), String> {
    let bad = || "not a URL of the form http://HOST:PORT".to_owned();
    let uri: Uri = url.parse().map_err(|_| bad())?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(bad)?;
    let port = authority.port_u16().unwrap_or(80);
    Ok((format!("{}:{port}", authority.host()), format!("{}/readyz?verbose", uri.path().trim_end_matches('/'))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::watch::kubernetes::fake::{Fake, Reply};
    use serde_json::json;

    #[test]
    fn a_url_needs_a_host_and_has_a_default_port() {
        let path = "/readyz?verbose".to_owned();
        assert_eq!(target("http://gw.shop:8081"), Ok(("gw.shop:8081".to_owned(), path.clone())));
        assert_eq!(target("http://[::1]/"), Ok(("[::1]:80".to_owned(), path)));
        for bad in ["https://gw", "gw:8081", ""] {
            assert!(target(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn readiness_is_what_the_gateway_answers() {
        let fake = Fake::start(|call| match call.path.as_str() {
            "/readyz" => Reply::Json(200, json!("ok")),
            _ => Reply::Json(503, json!("waiting for services")),
        })
        .await;
        let url = format!("http://{}", fake.address);
        assert_eq!(check(&url).await, Ok(format!("the gateway at {url} is ready")));
        let error = check(&format!("{url}/other")).await.unwrap_err();
        assert!(error.contains("503") && error.contains("waiting for services"), "{error}");
    }
}
