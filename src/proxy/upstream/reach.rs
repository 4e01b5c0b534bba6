//! A connection for a request: one that is there, or a new one.
//!
//! Where many requests share a connection they share the dial too: the first that finds none
//! begins it, the others wait for the same. Who waits keeps it going; when all have given up, so has
//! it.

use super::{
    Way,
    connect::Dial,
    connection::{Connection, Fresh},
    dialling::{Dialled, Dialling, UnderWay},
};
use crate::{
    live::endpoint::Endpoint,
    proxy::{core::Core, error::Failure},
};
use futures_util::FutureExt as _;
use std::{cell::Cell, rc::Rc, sync::Arc};

/// A connection for a request, and whether it has carried others.
pub(super) async fn reach(
    core: &Rc<Core>,
    endpoint: &Arc<Endpoint>,
    way: Way<'_>,
) -> Result<(Connection, bool), Failure> {
    loop {
        if let Some(connection) = core.pools.take(endpoint, way.transport) {
            return Ok((connection, true));
        }
        let connection = if core.pools.shares_dials(endpoint, way.transport) {
            together(core, endpoint, way).await?
        } else {
            alone(core, endpoint, way).await?
        };
        // A connection that so many waited for may be full already.
        if let Some(connection) = connection {
            return Ok((connection, false));
        }
    }
}

async fn alone(core: &Rc<Core>, endpoint: &Arc<Endpoint>, way: Way<'_>) -> Result<Option<Connection>, Failure> {
    let dial = Dial::new(endpoint.address(), way);
    // Handshakes have large futures, and most requests need none.
    match Box::pin(dial.connect(core)).await? {
        Fresh::Http1(sender) => Ok(Some(Connection::Http1(sender))),
        Fresh::Http2(shared) => {
            core.pools.share(endpoint, way.transport, &shared);
            Ok(shared.open().map(Connection::Http2))
        }
    }
}

async fn together(core: &Rc<Core>, endpoint: &Arc<Endpoint>, way: Way<'_>) -> Result<Option<Connection>, Failure> {
    let under_way = core.pools.dialling(endpoint, way.transport);
    let dialling = under_way.join().unwrap_or_else(|| {
        let dialling = dial(Rc::clone(core), Arc::clone(endpoint), way).shared();
        core.pools.dials(endpoint, way.transport, UnderWay::of(&dialling));
        dialling
    });
    Ok(match dialling.await? {
        Dialled::Http1(sender) => sender.take().map(Connection::Http1),
        Dialled::Http2(shared) => shared.open().map(Connection::Http2),
    })
}

fn dial(core: Rc<Core>, endpoint: Arc<Endpoint>, way: Way<'_>) -> Dialling {
    let dial = Dial::new(endpoint.address(), way);
    let transport = way.transport.clone();
    async move {
        let fresh = dial.connect(&core).await;
        // Who comes from now on finds the connection, or begins anew.
        core.pools.dials(&endpoint, &transport, UnderWay::default());
        Ok(match fresh? {
            Fresh::Http1(sender) => {
                core.pools.note_http1(&endpoint, &transport);
                Dialled::Http1(Rc::new(Cell::new(Some(sender))))
            }
            Fresh::Http2(shared) => {
                core.pools.share(&endpoint, &transport, &shared);
                Dialled::Http2(shared)
            }
        })
    }
    .boxed_local()
}
