use super::*;
use crate::{
    live::generation::Generation,
    metrics::{CoreMetrics, Metrics},
    model::snapshot::RuleId,
    proxy::{
        access_log::{LogBuffer, channel},
        exchange::tests::logging_core,
        installed::Installed,
    },
    table::{Conditions, Entry, HostPattern, PathPattern, Table, swap::Numbered},
};
use http::Version;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::{http1 as client1, http2 as client2};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::sync::{Arc, mpsc::Receiver};
use tokio::{net::TcpListener, task::LocalSet};

/// A core, and what it writes to the access log.
struct Rig {
    core: Rc<Core>,
    metrics: Metrics,
    log: Receiver<Vec<u8>>,
}

impl Rig {
    /// Its table names a rule that is not there: whoever is routed by it panics.
    fn new() -> Self {
        let metrics = Metrics::new(1, 10).unwrap();
        let (writer, log) = channel();
        let core = logging_core(&metrics, Some(LogBuffer::new(writer)));
        let broken = Entry {
            host: HostPattern::Any,
            path: PathPattern::prefix("/broken"),
            conditions: Conditions::default(),
            created: 0,
            order: ("shop/web".into(), 0),
            payload: RuleId(0),
        };
        let value = Generation { table: Table::build(vec![broken]), ..Generation::default() };
        core.install(Installed::new(Arc::new(Numbered { number: 1, value }), metrics.routes.unrouted()));
        Self { core, metrics, log }
    }

    /// A connection that this core serves.
    async fn open(&self) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (served, address) = listener.accept().await.unwrap();
        let arrival = Arrival { address, tls: None, place: None, proxied: None };
        tokio::task::spawn_local(serve(Rc::clone(&self.core), served, arrival));
        stream
    }

    /// The reasons and ids in the access log.
    fn logged(&self) -> Vec<(Value, Value)> {
        self.core.log.as_ref().unwrap().flush(&CoreMetrics::default());
        let text = self.log.try_iter().flatten().collect();
        let lines = String::from_utf8(text).unwrap();
        let fact = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            (line["reason"].clone(), line["request_id"].clone())
        };
        lines.lines().map(fact).collect()
    }

    fn counted(&self, series: &str) -> bool {
        String::from_utf8(self.metrics.text()).unwrap().lines().any(|line| line == series)
    }
}

fn request(path: &str, id: &'static str, media_type: &'static str) -> Request<Empty<Bytes>> {
    let request = Request::get(format!("http://a.example{path}")).header("host", "a.example");
    request.header("x-request-id", id).header("content-type", media_type).body(Empty::new()).unwrap()
}

#[tokio::test]
async fn a_panic_costs_one_request_which_is_answered_like_any_failure() {
    let rig = Rig::new();
    let clients = async {
        let (mut client, connection) = client1::handshake(TokioIo::new(rig.open().await)).await.unwrap();
        tokio::spawn(connection);
        for (path, id, status) in [("/broken", "one", 500), ("/elsewhere", "two", 404)] {
            let mut asked = request(path, id, "text/plain");
            *asked.uri_mut() = path.parse().unwrap();
            let answer = client.send_request(asked).await.unwrap();
            assert_eq!((answer.status().as_u16(), &answer.headers()["x-request-id"]), (status, &id.parse().unwrap()));
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            let code = if status == 500 { "InternalError" } else { "NotFound" };
            assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["error"]["code"], code);
        }
        let stream = TokioIo::new(rig.open().await);
        let (mut client, connection) = client2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        for (path, id, status) in [("/broken", "three", "13"), ("/elsewhere", "four", "12")] {
            let mut asked = request(path, id, "application/grpc");
            *asked.version_mut() = Version::HTTP_2;
            asked.headers_mut().remove("host");
            let answer = client.send_request(asked).await.unwrap();
            assert_eq!((answer.status().as_u16(), &answer.headers()["grpc-status"]), (200, &status.parse().unwrap()));
            assert_eq!(answer.headers()["x-request-id"], id);
            answer.into_body().collect().await.unwrap();
        }
    };
    LocalSet::new().run_until(clients).await;
    let told: Vec<(Value, Value)> = [("panic", "one"), ("no_route", "two"), ("panic", "three"), ("no_route", "four")]
        .map(|(reason, id)| (reason.into(), id.into()))
        .into();
    assert_eq!(rig.logged(), told);
    assert_eq!(rig.core.metrics.panics.get(), 2);
    for (code, count) in [(500, 1), (404, 1), (200, 2)] {
        let series =
            format!("paifang_http_requests_total{{code=\"{code}\",method=\"GET\",namespace=\"\",route=\"\"}} {count}");
        assert!(rig.counted(&series), "{series}");
    }
}
