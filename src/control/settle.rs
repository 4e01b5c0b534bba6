//! Settle: what is told once every core runs a table. Readiness, metrics, log lines and reports
//! describe what is installed, never what was asked for.

use super::{
    publish::Published,
    report::{ConditionReport, ObjectReport},
    translate::{Translation, reports},
};
use crate::{
    lifecycle::Readiness,
    live::cell::EndpointCell,
    metrics::ControlMetrics,
    model::{
        condition::ConditionType,
        diagnostic::{Diagnostic, Kind, Severity},
        snapshot::Snapshot,
        target::UpstreamId,
    },
    table::swap::{Acknowledgements, Closed},
};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::watch;

/// The part of readiness that the first table settles.
pub const TABLE: &str = "table";

/// Everyone who is told of an installed table.
#[derive(Debug)]
pub struct Settler {
    /// Newest tables.
    pub published: watch::Receiver<Option<Published>>,
    /// Turns whenever endpoints have changed.
    pub endpoint_epoch: watch::Receiver<u64>,
    /// What the cores run.
    pub installed: Acknowledgements,
    /// Where reports go.
    pub reports: watch::Sender<Arc<Vec<ObjectReport>>>,
    /// Told of the first table.
    pub readiness: Readiness,
    /// Counters of the control path.
    pub metrics: ControlMetrics,
}

/// What was told last.
#[derive(Debug, Default)]
struct Told {
    /// The number of the table.
    number: u64,
    translation: Option<Arc<Translation>>,
    known: BTreeSet<Diagnostic>,
}

impl Settler {
    /// Tells of each installed table until the controller or a core is gone.
    pub async fn run(mut self) {
        let mut told = Told::default();
        while let Ok(published) = self.next().await {
            if self.installed.installed(published.generation.number).await.is_err() {
                return;
            }
            self.tell(published, &mut told);
        }
    }

    async fn next(&mut self) -> Result<Published, Closed> {
        loop {
            tokio::select! {
                changed = self.published.changed() => changed.map_err(|_| Closed)?,
                changed = self.endpoint_epoch.changed() => changed.map_err(|_| Closed)?,
            }
            if let Some(published) = self.published.borrow_and_update().clone() {
                return Ok(published);
            }
        }
    }

    fn tell(&self, published: Published, told: &mut Told) {
        let reports = report(&published);
        let number = published.generation.number;
        if told.number != number {
            told.number = number;
            self.metrics.generation.set(i64::try_from(number).unwrap_or(i64::MAX));
            self.metrics.apply_duration.observe(published.since.elapsed().as_secs_f64());
            self.note_expiries(&published.generation.value.snapshot);
            self.readiness.done(TABLE);
        }
        if told.translation.as_ref().is_none_or(|last| !Arc::ptr_eq(last, &published.translation)) {
            self.metrics.last_success.set(now());
            self.count(&reports);
            log_new(&published.translation, &mut told.known);
            told.translation = Some(published.translation);
        }
        self.reports.send_replace(Arc::new(reports));
    }

    /// When each certificate that is served expires; those that are served no more are dropped.
    fn note_expiries(&self, snapshot: &Snapshot) {
        self.metrics.certificate_expiry.reset();
        for certificate in snapshot.certificates.iter().chain(&snapshot.default_certificate) {
            let expiry = certificate.not_after.duration_since(UNIX_EPOCH).unwrap_or_default();
            let seconds = i64::try_from(expiry.as_secs()).unwrap_or(i64::MAX);
            let labels = [&*certificate.namespace, &*certificate.secret];
            self.metrics.certificate_expiry.with_label_values(&labels).set(seconds);
        }
    }

    fn count(&self, reports: &[ObjectReport]) {
        for kind in [Kind::GatewayRoute, Kind::Ingress] {
            let of_kind = || reports.iter().filter(|report| report.object.kind == kind);
            let accepted = of_kind().filter(|report| report.conditions.iter().all(holds)).count();
            let states = [("accepted", accepted), ("rejected", of_kind().count() - accepted)];
            for (state, count) in states {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                self.metrics.objects.with_label_values(&[kind.as_str(), state]).set(count);
            }
        }
    }
}

fn holds(condition: &ConditionReport) -> bool {
    condition.holds || condition.type_ == ConditionType::Programmed
}

fn report(published: &Published) -> Vec<ObjectReport> {
    let counts = |cell: &Arc<EndpointCell>| {
        let set = cell.load();
        (set.ready(), set.all.len())
    };
    reports(&published.translation, |id: UpstreamId| {
        published.generation.value.cells.get(id.index()).map_or((0, 0), counts)
    })
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Logs each explanation once, when it is new.
fn log_new(translation: &Translation, known: &mut BTreeSet<Diagnostic>) {
    let newest: BTreeSet<_> = translation.diagnostics.iter().cloned().collect();
    for diagnostic in newest.difference(known) {
        let (object, field) = (diagnostic.object.to_string(), &diagnostic.field);
        match diagnostic.severity {
            Severity::Error => {
                tracing::error!(object, field, reason = diagnostic.reason.as_str(), "{}", diagnostic.message);
            }
            Severity::Warning => {
                tracing::warn!(object, field, reason = diagnostic.reason.as_str(), "{}", diagnostic.message);
            }
        }
    }
    *known = newest;
}
