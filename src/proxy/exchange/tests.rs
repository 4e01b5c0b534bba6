use super::*;
use crate::{
    lifecycle::vital::Vitals,
    metrics::{CoreMetrics, Metrics},
    proxy::{access_log::LogBuffer, core::CoreSettings},
    settings::{Limits, TrustedProxies},
};
use std::sync::Arc;

pub(crate) fn core(metrics: &Metrics) -> Rc<Core> {
    logging_core(metrics, None)
}

pub(crate) fn logging_core(metrics: &Metrics, log: Option<LogBuffer>) -> Rc<Core> {
    let settings = CoreSettings {
        limits: Arc::new(Limits::default()),
        trusted: Arc::new(TrustedProxies::default()),
        unrouted: metrics.routes.unrouted(),
        counts: Arc::default(),
        store: None,
        vitals: Vitals::new().0,
    };
    Core::new(0, settings, Arc::<CoreMetrics>::default(), log, Arc::default(), 1)
}

fn open(core: &Rc<Core>) -> Box<Exchange> {
    let peer = Rc::new(Peer::new(([192, 0, 2, 1], 9).into(), false, &TrustedProxies::default()));
    Exchange::open(core, &core.table(), &peer, &http::Request::new(()))
}

fn counted(metrics: &Metrics, code: u16) -> bool {
    let series = format!("paifang_http_requests_total{{code=\"{code}\",method=\"GET\",namespace=\"\",route=\"\"}} 1");
    String::from_utf8(metrics.text()).unwrap().contains(&series)
}

#[test]
fn a_request_without_an_answer_is_499_unless_it_panicked() {
    let metrics = Metrics::new(1, 10).unwrap();
    let core = core(&metrics);
    drop(open(&core));
    assert!(counted(&metrics, 499));
    let exchange = open(&core);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _exchange = exchange;
        std::panic::resume_unwind(Box::new(()));
    }));
    assert!(panicked.is_err() && counted(&metrics, 500));
}

#[test]
fn an_answer_that_streams_lets_go_of_the_table() {
    let metrics = Metrics::new(1, 10).unwrap();
    let core = core(&metrics);
    let mut exchange = open(&core);
    let table = Rc::downgrade(&core.table());
    core.install(Installed::empty(metrics.routes.unrouted()));
    assert!(table.upgrade().is_some(), "a request sees one table to its answer");
    exchange.answered(StatusCode::OK);
    assert!(table.upgrade().is_none());
    assert!(counted(&metrics, 200));
}
