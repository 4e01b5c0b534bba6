//! Asks a service what it is, by server reflection.

use crate::{
    live::{described::Known, generation::Generation, moment::Moment},
    model::{rule::Overrides, target::UpstreamId},
    proxy::{
        core::Core,
        error::Failure,
        handler::Routed,
        learning::Answer,
        outgoing::Outgoing,
        reply::summary,
        request_body::RequestBody,
        retry::{self, Plan},
        whole,
    },
    rpc::{
        codec::Codec,
        fault::read_status,
        frame::Decoder,
        grpc::Call,
        reflection::{Discovery, PATHS},
        transcode::{MAX_SET, Services},
    },
    table::swap::Numbered,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header::HOST};
use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long one question may take.
const TIME: Duration = Duration::from_secs(5);
/// The status of a method that a server does not have.
const UNIMPLEMENTED: i32 = 12;

/// What the service is. Who comes first waits until it has told; later ones only where it is not known.
pub(super) async fn services(routed: &Routed<'_>, to: UpstreamId, host: String) -> Result<Arc<Services>, Failure> {
    let (_, cell) = routed.table.upstream(to);
    let of = Arc::as_ptr(&cell.load()).addr();
    let (core, now) = (routed.core, Moment::of(Instant::now()));
    let service = std::ptr::from_ref(cell).addr();
    let begin = || {
        let (core, generation) = (Rc::clone(core), routed.table.generation_held());
        let question = Question { core, generation, to, of, host, overrides: Overrides::default() };
        routed.core.learning.join(service, || Box::pin(question.ask()))
    };
    match cell.described().known(of, now) {
        Known::Fresh(services) => Ok(services),
        Known::Old(services) => {
            if !core.learning.is_under_way(service) {
                drop(tokio::task::spawn_local(begin()));
            }
            Ok(services)
        }
        Known::Refused(_) => Err(Failure::NotDescribed),
        Known::Nothing => begin().await.map_err(|_| Failure::NotDescribed),
    }
}

/// A conversation with a service, on behalf of all who need to know it.
struct Question {
    core: Rc<Core>,
    /// Holds the endpoints.
    generation: Arc<Numbered<Generation>>,
    to: UpstreamId,
    of: usize,
    host: String,
    overrides: Overrides,
}

impl Question {
    async fn ask(self) -> Answer {
        let answer = self.discover().await.map(Arc::new).map_err(Arc::from);
        let generation = &self.generation.value;
        let (upstream, cell) = (&generation.snapshot.upstreams[self.to.index()], &generation.cells[self.to.index()]);
        let now = Moment::of(Instant::now());
        match &answer {
            Ok(services) => {
                for problem in services.problems().iter().filter(|_| self.core.may_log(now)) {
                    tracing::warn!(service = %upstream.port, %problem, "a rule of google.api.http leads nowhere");
                }
            }
            Err(reason) if self.core.may_log(now) => {
                tracing::warn!(service = %upstream.port, %reason, "a service does not describe itself");
            }
            Err(_) => {}
        }
        cell.described().tell(self.of, now, answer.clone());
        answer
    }

    async fn discover(&self) -> Result<Services, String> {
        let mut reason = String::new();
        for path in PATHS {
            match self.discover_by(path).await {
                Err(NoAnswer::Unimplemented) => reason = "it has no server reflection (v1 or v1alpha)".to_owned(),
                Err(NoAnswer::Because(reason)) => return Err(reason),
                Ok(services) => return Ok(services),
            }
        }
        Err(reason)
    }

    async fn discover_by(&self, path: &'static str) -> Result<Services, NoAnswer> {
        let mut discovery = Discovery::default();
        while let Some(question) = discovery.question() {
            let answer = self.call(path, &question).await?;
            discovery.answer(&answer).map_err(NoAnswer::because)?;
        }
        discovery.finish().map_err(NoAnswer::because)
    }

    /// One question and its answer, as a stream of its own.
    async fn call(&self, path: &'static str, question: &Bytes) -> Result<Bytes, NoAnswer> {
        let response = retry::send_once(&self.plan()?, &mut self.request(path, question)?).await;
        let (head, body) = response.map_err(|failure| NoAnswer::because(summary(&failure).1))?.into_parts();
        let reading = tokio::time::timeout(TIME, whole::read(body, MAX_SET + 5));
        let read = reading.await.map_err(|_| NoAnswer::because("the answer took too long"))?;
        let reply = read.map_err(NoAnswer::because)?;
        let outcome = read_status(&reply.trailers).or_else(|| read_status(&head.headers));
        match outcome {
            Some(status) if status.code == 0 => {}
            Some(status) if status.code == UNIMPLEMENTED => return Err(NoAnswer::Unimplemented),
            Some(status) => return Err(NoAnswer::Because(format!("status {}: {}", status.code, status.message))),
            None => return Err(NoAnswer::because("the answer is not one of gRPC")),
        }
        let mut decoder = Decoder::new(MAX_SET);
        decoder.push(&reply.bytes);
        let message = decoder.next_message().map_err(NoAnswer::because)?;
        message.map(|message| message.bytes).ok_or_else(|| NoAnswer::because("the answer is empty"))
    }

    fn plan(&self) -> Result<Plan<'_>, NoAnswer> {
        let Generation { snapshot, cells, .. } = &self.generation.value;
        let (upstream, cell) = (&snapshot.upstreams[self.to.index()], &cells[self.to.index()]);
        let transport = upstream.transport.as_ref().ok_or(NoAnswer::because("it cannot be connected to"))?;
        let core = &self.core;
        Ok(Plan { core, upstream, transport, cell, overrides: &self.overrides, hash: 0, deadline: Some(TIME) })
    }

    fn request(&self, path: &'static str, question: &Bytes) -> Result<Outgoing, NoAnswer> {
        let metadata = HeaderMap::new();
        let call = Call { service: "", method: path, codec: Codec::Protobuf, timeout: Some(TIME), metadata: &metadata };
        let mut request = call.request(question).map_err(NoAnswer::because)?;
        let host = HeaderValue::from_str(&self.host).map_err(NoAnswer::because)?;
        request.headers_mut().insert(HOST, host);
        Ok(Outgoing::new(request.map(RequestBody::whole)))
    }
}

/// Why a question has no answer.
enum NoAnswer {
    Unimplemented,
    Because(String),
}

impl NoAnswer {
    #[expect(clippy::needless_pass_by_value, reason = "errors are handed over")]
    fn because(reason: impl ToString) -> Self {
        Self::Because(reason.to_string())
    }
}
