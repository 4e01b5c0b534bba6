//! A WebSocket and a call, message by message in both directions, until one of them ends.

use super::{
    super::{Ended, MOST_BYTES, dialect::grpc_ended},
    framed,
    replies::Replies,
    told,
};
use crate::{
    live::generation::Generation,
    metrics::Protection,
    model::{rule::Overrides, target::UpstreamId, upstream::TimeLimit},
    proxy::{
        body::{Body, Held},
        clock::race,
        core::{Core, Registration},
        error::Failure,
        outgoing::Outgoing,
        retry::{self, Plan},
    },
    rpc::{
        codec::Codec,
        fault::{Codes, Fault},
        grpc,
    },
    table::swap::Numbered,
};
use bytes::Bytes;
use futures_util::{
    SinkExt as _, StreamExt as _,
    future::{Either, select},
    stream::{SplitSink, SplitStream},
};
use http::Response;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::{cell::Cell, pin::pin, rc::Rc, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message, Utf8Bytes,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

/// The longest reason that a close frame has (RFC 6455, section 5.5).
const LONGEST_REASON: usize = 123;
/// How long a client has to answer a close frame.
const FAREWELL: Duration = Duration::from_secs(5);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// A WebSocket and a call.
pub(super) struct Session {
    pub(super) core: Rc<Core>,
    /// The one that the request was routed by.
    pub(super) generation: Arc<Numbered<Generation>>,
    pub(super) upstream: UpstreamId,
    pub(super) hash: u64,
    /// The call, whose body is what comes here.
    pub(super) request: Outgoing,
    pub(super) messages: mpsc::Sender<Bytes>,
    pub(super) first: Option<Bytes>,
    pub(super) codec: Codec,
    pub(super) is_text: bool,
    /// A connection of HTTP/2 that carries a WebSocket is not idle.
    pub(super) held: Held,
}

/// Why a session ends.
enum End {
    /// The client has gone, or said that it goes.
    Gone,
    /// Something is to be said to the client.
    Close(CloseCode, String),
}

impl Session {
    /// Runs as long as client and service talk. Counts as a connection, so that draining waits for it.
    pub(super) async fn run(self, client: OnUpgrade) {
        let place = self.core.register(false);
        let Ok(client) = client.await else { return };
        let config = WebSocketConfig::default().max_message_size(Some(MOST_BYTES)).max_frame_size(Some(MOST_BYTES));
        let socket = Socket::from_raw_socket(TokioIo::new(client), Role::Server, Some(config)).await;
        let (mut to_client, mut from_client) = socket.split();
        let Self { core, generation, upstream, hash, mut request, messages, first, codec, is_text, held } = self;
        let passed = Cell::new(core.clock.now());
        let end = {
            let taking = take(&mut from_client, (messages, codec, first), || passed.set(core.clock.now()));
            let giving = async {
                let response = send(&core, &generation.value, upstream, hash, &mut request).await;
                give(&mut to_client, response, is_text, || passed.set(core.clock.now())).await
            };
            let (taking, giving) = (pin!(taking), pin!(giving));
            within(&core, &place, &passed, async {
                match select(taking, giving).await {
                    Either::Left((end, _)) | Either::Right((end, _)) => end,
                }
            })
            .await
        };
        if let End::Close(code, reason) = end {
            let reason = Utf8Bytes::from(shortened(&reason));
            // Nobody is left to tell where it does not arrive.
            let _ = to_client.send(Message::Close(Some(CloseFrame { code, reason }))).await;
            core.clock.set(place.alarm(), FAREWELL);
            let _ =
                race(&core.clock, place.alarm(), async { while let Some(Ok(_)) = from_client.next().await {} }).await;
        }
        drop((place, held));
    }
}

/// Waits for the end, unless nothing passes for too long.
async fn within(core: &Core, place: &Registration, passed: &Cell<u64>, talking: impl Future<Output = End>) -> End {
    let mut talking = pin!(talking);
    let Some(limit) = core.limits().tunnel_idle_timeout else { return talking.await };
    while core.clock.set_since(place.alarm(), passed.get(), limit) {
        if let Ok(end) = race(&core.clock, place.alarm(), talking.as_mut()).await {
            return end;
        }
    }
    core.metrics.protect(Protection::TunnelIdleTimeout);
    End::Close(CloseCode::Away, "nothing has passed for too long".to_owned())
}

/// Takes messages of the client, for the service to read as fast as it likes.
async fn take(
    from_client: &mut SplitStream<Socket>,
    (messages, codec, first): (mpsc::Sender<Bytes>, Codec, Option<Bytes>),
    note: impl Fn(),
) -> End {
    let mut next = first;
    loop {
        if let Some(message) = next.take() {
            let Some(framed) = framed(codec, &message) else { return too_large() };
            if messages.send(framed).await.is_err() {
                // The service reads no more: what it still says decides.
                return std::future::pending().await;
            }
        }
        next = match from_client.next().await {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => Some(message.into_data()),
            Some(Ok(_)) => None,
            Some(Err(Error::Capacity(_))) => return too_large(),
            Some(Err(Error::Protocol(_) | Error::Utf8(_))) => {
                return End::Close(CloseCode::Protocol, "this is no WebSocket".to_owned());
            }
            Some(Err(_)) | None => return End::Gone,
        };
        note();
    }
}

fn too_large() -> End {
    End::Close(CloseCode::Size, format!("a message has {MOST_BYTES} bytes at most"))
}

/// Calls the service. Its head may come as late as its first message.
async fn send(
    core: &Rc<Core>,
    generation: &Generation,
    upstream: UpstreamId,
    hash: u64,
    request: &mut Outgoing,
) -> Result<Response<Body>, Failure> {
    let (known, cell) = (&generation.snapshot.upstreams[upstream.index()], &generation.cells[upstream.index()]);
    let transport = known.transport.as_ref().ok_or(Failure::Misconfigured)?;
    let unlimited = Some(TimeLimit(None));
    let overrides = Overrides { request_timeout: unlimited, try_timeout: unlimited, ..Overrides::default() };
    let plan = Plan { core, upstream: known, transport, cell, overrides: &overrides, hash, deadline: None };
    retry::send_once(&plan, request).await
}

/// Gives the replies to the client, as they come.
async fn give(
    to_client: &mut SplitSink<Socket, Message>,
    response: Result<Response<Body>, Failure>,
    is_text: bool,
    note: impl Fn(),
) -> End {
    let mut replies = match response.map_err(Ended::from).and_then(replies) {
        Ok(replies) => replies,
        Err(ended) => return failed(&told(ended)),
    };
    while let Some(reply) = replies.next().await {
        let message = match reply {
            Ok(bytes) => message(bytes, is_text),
            Err(fault) => return failed(&fault),
        };
        if to_client.send(message).await.is_err() {
            return End::Gone;
        }
        note();
    }
    End::Close(CloseCode::Normal, String::new())
}

fn replies(response: Response<Body>) -> Result<Replies, Ended> {
    let (head, body) = response.into_parts();
    grpc::read_head(head.status, &head.headers, Codes::Micro).map_err(grpc_ended)?;
    Ok(Replies::new(head.headers, body))
}

fn message(bytes: Bytes, is_text: bool) -> Message {
    match Utf8Bytes::try_from(bytes.clone()) {
        Ok(text) if is_text => Message::Text(text),
        _ => Message::Binary(bytes),
    }
}

fn failed(fault: &Fault) -> End {
    End::Close(CloseCode::Error, fault.detail.clone())
}

/// As much of a reason as fits, in whole characters.
fn shortened(reason: &str) -> &str {
    let end = (0..=reason.len().min(LONGEST_REASON)).rev().find(|end| reason.is_char_boundary(*end));
    &reason[..end.unwrap_or(0)]
}
