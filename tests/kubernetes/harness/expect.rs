//! What a proxy is expected to do for a host, sooner or later.

use std::net::SocketAddr;

use super::{FOLLOW, eventually, http};

/// Waits until the pod `pod` answers `GET path` for `host`.
pub(crate) async fn pod_at(proxy: SocketAddr, host: &str, path: &str, pod: &str) {
    eventually(FOLLOW, &format!("{pod} answers for {host}{path}"), || async {
        let reply = http::try_get(proxy, host, path).await?;
        match reply.status.as_u16() {
            200 if reply.json()["pod"] == pod => Ok(()),
            code => Err(format!("{code} {:?}", reply.body)),
        }
    })
    .await;
}

/// Waits until the pod `pod` answers `GET /` for `host`.
pub(crate) async fn pod(proxy: SocketAddr, host: &str, pod: &str) {
    pod_at(proxy, host, "/", pod).await;
}

/// Waits until `GET /` for `host` is answered with `status`.
pub(crate) async fn status(proxy: SocketAddr, host: &str, status: u16) {
    eventually(FOLLOW, &format!("{status} for {host}"), || async {
        let reply = http::try_get(proxy, host, "/").await?;
        if reply.status == status { Ok(()) } else { Err(format!("{} {:?}", reply.status, reply.body)) }
    })
    .await;
}
