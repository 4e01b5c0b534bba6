//! What hyper costs with nothing added: the head goes on as it came, over a connection from a pool.

use crate::{Endpoints, Failure, accept, connect, listen};
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use std::{cell::RefCell, net::SocketAddr, rc::Rc};
use tokio::task::spawn_local;

/// Forwards to the backend.
pub(crate) async fn serve(port: u16, to: u16) -> Result<(), Failure> {
    let (listener, endpoints) = (listen(port).await?, Endpoints::new(to));
    let pool = Rc::new(Pool { endpoints, idle: RefCell::default() });
    loop {
        let stream = accept(&listener).await?;
        let pool = Rc::clone(&pool);
        spawn_local(async move {
            let service = service_fn(|request| hand_on(&pool, request));
            // A client that went away is no matter of the measurement.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

struct Pool {
    endpoints: Rc<Endpoints>,
    idle: RefCell<Vec<SendRequest<Incoming>>>,
}

type Answer = Response<BoxBody<Bytes, hyper::Error>>;

async fn hand_on(pool: &Pool, request: Request<Incoming>) -> Result<Answer, Failure> {
    let idle = pool.idle.borrow_mut().pop().filter(|sender| !sender.is_closed());
    let mut sender = match idle {
        Some(sender) => sender,
        None => dial(pool.endpoints.next()).await?,
    };
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    pool.idle.borrow_mut().push(sender);
    Ok(response.map(BoxBody::new))
}

async fn dial(to: SocketAddr) -> Result<SendRequest<Incoming>, Failure> {
    let (sender, connection) = handshake(TokioIo::new(connect(to).await?)).await?;
    spawn_local(connection);
    Ok(sender)
}
