//! Service ports in good and in bad health: a gateway over some endpoints, and endpoints that are
//! sick or not there.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http_body_util::Full;
use hyper::{Response, StatusCode};
use tokio::net::TcpListener;

use super::{Backend, Folder, Gateway, Seen};

impl Gateway {
    /// Serves one route, `web`, to the Service `echo` with these endpoints.
    pub(crate) async fn over(endpoints: &[SocketAddr], spec: &str) -> Self {
        let folder = Folder::new();
        folder.service("echo", endpoints).route("web", spec);
        Self::start(folder).await
    }

    /// The statuses of so many requests, one after the other.
    pub(crate) async fn statuses(&self, count: usize) -> Vec<u16> {
        let mut statuses = Vec::new();
        for _ in 0..count {
            statuses.push(self.get("/").await.status);
        }
        statuses
    }
}

/// A route to the Service `echo` with a policy.
pub(crate) fn with_policy(policy: &str) -> String {
    format!("{{{policy}, rules: [{{backends: [{{service: echo}}]}}]}}")
}

/// A backend that answers 503 to some requests, as long as it is told to.
pub(crate) async fn sick(told: &Arc<AtomicBool>, refuses: impl Fn(&Seen) -> bool + Send + Sync + 'static) -> Backend {
    let told = Arc::clone(told);
    Backend::answering(move |seen| {
        let mut response = Response::new(Full::from("hello"));
        if refuses(seen) && told.load(Ordering::Relaxed) {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        response
    })
    .await
}

/// An address that refuses connections.
pub(crate) async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port must be free");
    listener.local_addr().expect("a listener must have an address")
}
