//! One try: a request over one connection to its endpoint, within the time for it.

use super::{Way, reach::reach, unanswered::Unanswered};
use crate::proxy::{
    body::Body,
    clock::{Alarm, Clock, Deadline},
    core::Core,
    error::Failure,
    outgoing::Outgoing,
    permit::Permit,
    request_body::BodyWatch,
};
use http::Response;
use std::{
    future::poll_fn,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

/// How long a try may take to bring the response head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TryTime {
    pub(crate) until: Deadline,
    /// While the client still sends, so long after its last byte.
    pub(crate) after_body: Option<Duration>,
}

/// What came of a try: a response whose body has no lease yet, or none.
pub(crate) type Sent = Result<Response<Body>, Lost>;

/// A try that brought no response head.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) failure: Failure,
    /// The endpoint got nothing of the request, which is there as it was.
    pub(crate) unsent: bool,
}

impl From<Failure> for Lost {
    fn from(failure: Failure) -> Self {
        Self { failure, unsent: false }
    }
}

/// Sends a request and waits for the response head.
pub(crate) async fn forward(
    core: &Rc<Core>,
    way: Way<'_>,
    permit: &Permit,
    request: &mut Outgoing,
    time: Option<TryTime>,
    body: Option<&BodyWatch>,
) -> Sent {
    let mut sending = pin!(send(core, way, permit, request, body));
    let Some(time) = time else { return sending.await };
    let limit = Limit { clock: &core.clock, alarm: core.clock.alarm(), after_body: time.after_body, body };
    core.clock.set_until(&limit.alarm, time.until);
    // Both in one poll: each future around another one moves what comes of it once more.
    poll_fn(|context| limit.poll(sending.as_mut(), context)).await
}

/// How long a try may take. A client that is still sending keeps it waiting: how long that may take is a
/// limit of its own.
struct Limit<'t> {
    clock: &'t Clock,
    alarm: Rc<Alarm>,
    after_body: Option<Duration>,
    body: Option<&'t BodyWatch>,
}

impl Limit<'_> {
    fn poll(&self, sending: Pin<&mut impl Future<Output = Sent>>, context: &mut Context<'_>) -> Poll<Sent> {
        if let Poll::Ready(sent) = sending.poll(context) {
            return Poll::Ready(sent);
        }
        if self.alarm.has_rung(self.clock) {
            let Some(later) = self.later() else { return Poll::Ready(Err(Failure::UpstreamTimeout.into())) };
            self.clock.set_until(&self.alarm, later);
        }
        self.alarm.register(context);
        Poll::Pending
    }

    /// Until when the client keeps the try waiting, if that is not over.
    fn later(&self) -> Option<Deadline> {
        let later = self.body.zip(self.after_body).map(|(body, after)| Clock::deadline_from(body.moved(), after));
        later.filter(|later| !self.clock.is_past(*later))
    }
}

impl Drop for Limit<'_> {
    fn drop(&mut self) {
        self.clock.put_back(Rc::clone(&self.alarm));
    }
}

async fn send(
    core: &Rc<Core>,
    way: Way<'_>,
    permit: &Permit,
    request: &mut Outgoing,
    body: Option<&BodyWatch>,
) -> Sent {
    loop {
        let (mut connection, reused) = match reach(core, permit.endpoint(), way).await {
            Ok(reached) => reached,
            Err(failure) => return Err(Lost { failure, unsent: true }),
        };
        match connection.send(request, permit.endpoint().address()).await {
            Ok(response) => return Ok(response.map(|incoming| Body::upstream(incoming, connection))),
            // The connection died before it took a byte: another one may carry the request,
            // whatever its method.
            Err(Unanswered::Unsent) if reused => core.metrics.resends.add(1),
            Err(unanswered) => {
                let failure = body.and_then(BodyWatch::fate).map_or(Failure::UpstreamBroken, Failure::from);
                return Err(Lost { failure, unsent: unanswered == Unanswered::Unsent });
            }
        }
    }
}
