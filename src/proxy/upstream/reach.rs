//! A connection for a request: one that is there, or a new one.
//!
//! Where many requests share a connection they share the dial too: the first that finds none
//! begins it, the others wait for the same. Who waits keeps it going; when all have given up, so has
//! it.

use super::{
    connect::Dial,
    connection::{Connection, Fresh},
    http2::Multiplexed,
};
use crate::{
    live::endpoint::Endpoint,
    model::{transport::Protocol, upstream::Upstream},
    proxy::{core::Core, error::Failure, request_body::RequestBody},
};
use futures_util::{
    FutureExt as _,
    future::{LocalBoxFuture, Shared, WeakShared},
};
use hyper::client::conn::http1;
use std::{cell::Cell, fmt, rc::Rc, sync::Arc};

/// What a dial that is shared has come to.
#[derive(Clone)]
pub(super) enum Dialled {
    /// All of them may use it.
    Http2(Rc<Multiplexed>),
    /// The first of them may take it.
    Http1(Rc<Cell<Option<http1::SendRequest<RequestBody>>>>),
}

type Dialling = LocalBoxFuture<'static, Result<Dialled, Failure>>;

/// A dial that is under way, for those who come later.
#[derive(Clone, Default)]
pub(super) struct UnderWay(Option<WeakShared<Dialling>>);

impl UnderWay {
    /// Whether somebody waits for it.
    pub(super) fn is_some(&self) -> bool {
        self.join().is_some()
    }

    fn join(&self) -> Option<Shared<Dialling>> {
        self.0.as_ref()?.upgrade()
    }
}

impl fmt::Debug for UnderWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UnderWay").field(&self.0.is_some()).finish()
    }
}

/// A connection for a request, and whether it has carried others.
pub(super) async fn reach(
    core: &Rc<Core>,
    endpoint: &Arc<Endpoint>,
    upstream: &Upstream,
) -> Result<(Connection, bool), Failure> {
    loop {
        if let Some(connection) = core.pools.take(endpoint, &upstream.transport) {
            return Ok((connection, true));
        }
        let connection = match upstream.transport.protocol {
            Protocol::Http1 => alone(core, endpoint, upstream).await?,
            Protocol::Http2 => together(core, endpoint, upstream).await?,
        };
        // A connection that so many waited for may be full already.
        if let Some(connection) = connection {
            return Ok((connection, false));
        }
    }
}

async fn alone(core: &Rc<Core>, endpoint: &Arc<Endpoint>, upstream: &Upstream) -> Result<Option<Connection>, Failure> {
    match Dial::new(endpoint.address(), upstream).connect(core).await? {
        Fresh::Http1(sender) => Ok(Some(Connection::Http1(sender))),
        Fresh::Http2(shared) => {
            core.pools.share(endpoint, &upstream.transport, &shared);
            Ok(shared.open().map(Connection::Http2))
        }
    }
}

async fn together(
    core: &Rc<Core>,
    endpoint: &Arc<Endpoint>,
    upstream: &Upstream,
) -> Result<Option<Connection>, Failure> {
    let under_way = core.pools.dialling(endpoint, &upstream.transport);
    let dialling = under_way.join().unwrap_or_else(|| {
        let dialling = dial(Rc::clone(core), Arc::clone(endpoint), upstream).shared();
        core.pools.dials(endpoint, &upstream.transport, UnderWay(dialling.downgrade()));
        dialling
    });
    Ok(match dialling.await? {
        Dialled::Http1(sender) => sender.take().map(Connection::Http1),
        Dialled::Http2(shared) => shared.open().map(Connection::Http2),
    })
}

fn dial(core: Rc<Core>, endpoint: Arc<Endpoint>, upstream: &Upstream) -> Dialling {
    let dial = Dial::new(endpoint.address(), upstream);
    let transport = upstream.transport.clone();
    async move {
        let fresh = dial.connect(&core).await;
        // Who comes from now on finds the connection, or begins anew.
        core.pools.dials(&endpoint, &transport, UnderWay::default());
        Ok(match fresh? {
            Fresh::Http1(sender) => Dialled::Http1(Rc::new(Cell::new(Some(sender)))),
            Fresh::Http2(shared) => {
                core.pools.share(&endpoint, &transport, &shared);
                Dialled::Http2(shared)
            }
        })
    }
    .boxed_local()
}
