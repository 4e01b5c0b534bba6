//! One try: a request over one connection to its endpoint, within the time for it.

use super::{Way, connection::Connection, reach::reach, unanswered::Unanswered};
use crate::proxy::{
    clock::{Clock, Deadline, TimeIsUp, race},
    core::Core,
    error::{BodyError, Failure},
    permit::Permit,
    request_body::{BodyWatch, RequestBody},
};
use http::{Request, Response};
use hyper::body::Incoming;
use std::{pin::Pin, rc::Rc, time::Duration};

/// How long a try may take to bring the response head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TryTime {
    pub(crate) until: Deadline,
    /// While the client still sends, so long after its last byte.
    pub(crate) after_body: Option<Duration>,
}

/// A response head, and the connection that brings its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response<Incoming>,
    pub(crate) connection: Connection,
}

/// What came of a try. An answer is boxed, since it moves through many hands.
pub(crate) type Sent = Result<Box<Answer>, Lost>;

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
    request: &mut Request<RequestBody>,
    time: Option<TryTime>,
    body: Option<&BodyWatch>,
) -> Sent {
    // Pinned first: the race then moves a pointer, not the whole future.
    let sending = std::pin::pin!(send(core, way, permit, request, body));
    let Some(time) = time else { return sending.await };
    within(&core.clock, time, body, sending).await.unwrap_or_else(|TimeIsUp| Err(Failure::UpstreamTimeout.into()))
}

/// Waits for a future until its time is up. A client that is still sending keeps it waiting: how
/// long that may take is a limit of its own.
async fn within<F: Future>(
    clock: &Clock,
    time: TryTime,
    body: Option<&BodyWatch>,
    mut future: Pin<&mut F>,
) -> Result<F::Output, TimeIsUp> {
    let alarm = clock.alarm();
    clock.set_until(&alarm, time.until);
    let output = loop {
        let raced = race(clock, &alarm, future.as_mut()).await;
        let later = body.zip(time.after_body).map(|(body, after)| Clock::deadline_from(body.moved(), after));
        match later.filter(|later| raced.is_err() && !clock.is_past(*later)) {
            Some(later) => clock.set_until(&alarm, later),
            None => break raced,
        }
    };
    clock.put_back(alarm);
    output
}

async fn send(
    core: &Rc<Core>,
    way: Way<'_>,
    permit: &Permit,
    request: &mut Request<RequestBody>,
    body: Option<&BodyWatch>,
) -> Sent {
    loop {
        let (mut connection, reused) = match reach(core, permit.endpoint(), way).await {
            Ok(reached) => reached,
            Err(failure) => return Err(Lost { failure, unsent: true }),
        };
        match connection.send(request, permit.endpoint().address()).await {
            Ok(response) => return Ok(Box::new(Answer { response, connection })),
            // The connection died before it took a byte: another one may carry the request,
            // whatever its method.
            Err(Unanswered::Unsent) if reused => core.metrics.resends.add(1),
            Err(unanswered) => {
                return Err(Lost { failure: explain(body), unsent: unanswered == Unanswered::Unsent });
            }
        }
    }
}

fn explain(body: Option<&BodyWatch>) -> Failure {
    match body.and_then(BodyWatch::fate) {
        Some(BodyError::TooLarge) => Failure::BodyTooLarge,
        Some(BodyError::ClientStalled) => Failure::BodyStalled,
        Some(BodyError::ClientGone) => Failure::BodyBroken,
        Some(BodyError::EndpointBroken | BodyError::EndpointStalled) | None => Failure::UpstreamBroken,
    }
}
