//! What becomes of a request, as a value that both outputs are made from.

use super::{
    called::{Called, port_of},
    own::{self, Own},
    request::Asked,
    settings::{self, Set, Source},
    why,
};
use crate::{
    cli::files::Files,
    control::endpoints::Endpoints,
    model::{
        rule::{self, BackendTarget, PathSafety, Rule},
        snapshot::RuleId,
    },
    table::{Captures, Considered, Entry, Outcome, PathPattern, Table, Verdict, forwarded},
};
use serde::Serialize;
use std::{borrow::Cow, collections::BTreeMap, path::PathBuf};

/// What becomes of a request.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    pub(super) request: Request,
    pub(super) admitted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) allow: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) winner: Option<Winner>,
    pub(super) losers: Vec<Loser>,
    pub(super) omitted: usize,
}

/// The request as it is matched.
#[derive(Debug, Serialize)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) scheme: String,
    pub(super) host: String,
    pub(super) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) query: Option<String>,
}

/// One row of the table.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) object: String,
    pub(super) rule: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<usize>,
    pub(super) host: String,
    pub(super) path_type: &'static str,
    pub(super) path: String,
}

/// The row that takes the request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Winner {
    #[serde(flatten)]
    pub(super) row: Row,
    pub(super) handler: &'static str,
    #[serde(flatten)]
    pub(super) called: Called,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) captures: BTreeMap<String, String>,
    pub(super) forwarded_path: String,
    /// What is passed before a backend is asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) limits: Vec<Set>,
    pub(super) backends: Vec<Backend>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mirror: Option<Mirror>,
}

/// Who gets copies of the request.
#[derive(Debug, Serialize)]
pub(super) struct Mirror {
    pub(super) service: String,
    pub(super) port: u16,
    pub(super) percent: u8,
    #[serde(flatten)]
    pub(super) source: Source,
}

/// A backend of the winner.
#[derive(Debug, Serialize)]
pub(super) struct Backend {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) port: Option<u16>,
    pub(super) weight: u32,
    pub(super) share: f64,
    pub(super) ready: usize,
    pub(super) endpoints: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) invalid: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) settings: Vec<Set>,
}

/// A row that does not take the request.
#[derive(Debug, Serialize)]
pub(super) struct Loser {
    #[serde(flatten)]
    pub(super) row: Row,
    pub(super) why: String,
}

impl Answer {
    /// Asks the gateway's own admission, then the table.
    pub(super) fn of(files: &Files, asked: &Asked) -> Self {
        if let Some(own) = own::unadmitted(asked) {
            return Self { admitted: false, ..Self::of_own(asked, Some(own)) };
        }
        let translation = &files.translation;
        let table = Table::build(translation.entries.clone());
        let view = asked.view();
        let explained = table.explain(&view);
        let winner = explained.winner();
        let outcome = table.find(&view);
        let cut = if let Outcome::Found(found) = &outcome { found.prefix_len } else { 0 };
        let described = winner.map(|entry| describe_winner(files, asked, entry, cut));
        let own = match winner.and_then(|entry| translation.snapshot.rules.get(entry.payload.index())) {
            Some(rule) => own::ruled(rule, asked).or_else(|| own::uncalled(&described.as_ref()?.called)),
            None => Some(own::unrouted(&outcome)),
        };
        Self {
            winner: described,
            losers: explained.considered.iter().filter_map(|row| describe_loser(files, row, winner)).collect(),
            omitted: explained.omitted,
            ..Self::of_own(asked, own)
        }
    }

    /// An answer that tells of no rule.
    fn of_own(asked: &Asked, own: Option<Own>) -> Self {
        let (status, reason, allow) =
            own.map_or_else(Default::default, |own| (Some(own.status), Some(own.reason), own.allow));
        Self {
            request: Request {
                method: asked.sent.method().to_string(),
                scheme: asked.scheme.clone(),
                host: asked.host.clone(),
                path: asked.path.clone(),
                query: asked.sent.uri().query().map(str::to_owned),
            },
            admitted: true,
            status,
            reason,
            allow,
            winner: None,
            losers: Vec::new(),
            omitted: 0,
        }
    }

    /// Whether the client gets an error of the gateway's own.
    pub(super) fn is_error(&self) -> bool {
        self.status.is_some_and(|status| status >= 400)
    }
}

fn describe_winner(files: &Files, asked: &Asked, entry: &Entry<RuleId>, prefix: usize) -> Winner {
    let snapshot = &files.translation.snapshot;
    let rule = &snapshot.rules[entry.payload.index()];
    let forwarded_path = forwarded_path(rule, asked, prefix);
    let called = Called::of(snapshot, rule, asked, &forwarded_path);
    let found = called.found.map(|id| rule::Backend { target: BackendTarget::Upstream(id), weight: 1 });
    let backends = found.as_ref().map_or_else(|| rule.targets.backends(), std::slice::from_ref);
    Winner {
        row: describe(files, entry),
        handler: rule.options.handler.as_str(),
        captures: captures(entry, &asked.path),
        limits: settings::of_route(files, rule),
        backends: describe_backends(files, rule, backends),
        called,
        forwarded_path,
        mirror: describe_mirror(files, rule),
    }
}

fn describe_mirror(files: &Files, rule: &Rule) -> Option<Mirror> {
    let mirror = rule.mirror.as_ref()?;
    let port = &files.translation.snapshot.upstreams.get(mirror.target.index())?.port;
    let origin = &rule.origin;
    Some(Mirror {
        service: format!("{}/{}", port.namespace, port.service),
        port: port.port,
        percent: mirror.percent,
        source: Source::of(files, &origin.object, &format!("spec.rules[{}].mirror", origin.rule)),
    })
}

fn captures(entry: &Entry<RuleId>, path: &str) -> BTreeMap<String, String> {
    let PathPattern::Template(template) = &entry.path else { return BTreeMap::new() };
    let captures = template.captures(path);
    let pairs = captures.iter().flat_map(Captures::iter);
    pairs.map(|(field, value)| (field.to_owned(), value.to_owned())).collect()
}

fn forwarded_path(rule: &Rule, asked: &Asked, prefix: usize) -> String {
    let raw = asked.raw_path();
    let normal = (asked.path != raw).then_some(asked.path.as_str());
    let cut = if rule.options.trim_prefix { prefix } else { 0 };
    let path = forwarded(raw, normal, cut, rule.options.path_safety == PathSafety::Raw);
    path.map_or_else(|| raw.to_owned(), Cow::into_owned)
}

fn describe_backends(files: &Files, rule: &Rule, backends: &[rule::Backend]) -> Vec<Backend> {
    let snapshot = &files.translation.snapshot;
    let mut endpoints = Endpoints::default();
    drop(endpoints.cells(&files.cache, &snapshot.upstreams));
    let total: u64 = backends.iter().map(|backend| u64::from(backend.weight)).sum();
    let describe = |backend: &rule::Backend| {
        let (upstream, invalid) = match &backend.target {
            BackendTarget::Upstream(id) => (snapshot.upstreams.get(id.index()), None),
            BackendTarget::Invalid(reason) => (None, Some(reason.as_str())),
        };
        let port = upstream.map(|upstream| &upstream.port);
        let (ready, all) = port.map_or((0, 0), |port| endpoints.counts(port));
        Backend {
            service: port.map(|port| format!("{}/{}", port.namespace, port.service)),
            port: port.and_then(port_of),
            weight: backend.weight,
            share: share(backend.weight, total),
            ready,
            endpoints: all,
            invalid,
            settings: upstream.map(|upstream| settings::of_upstream(files, rule, upstream)).unwrap_or_default(),
        }
    };
    backends.iter().map(describe).collect()
}

/// In percent, to one decimal.
fn share(weight: u32, total: u64) -> f64 {
    if total == 0 {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "weights are at most a million")]
    let percent = f64::from(weight) * 100.0 / total as f64;
    (percent * 10.0).round() / 10.0
}

fn describe_loser(files: &Files, row: &Considered<'_, RuleId>, winner: Option<&Entry<RuleId>>) -> Option<Loser> {
    match row.verdict {
        Verdict::Won => None,
        Verdict::Lost(reason) => {
            Some(Loser { row: describe(files, row.entry), why: why::lost(row.entry, reason, winner) })
        }
    }
}

fn describe(files: &Files, entry: &Entry<RuleId>) -> Row {
    let origin = &files.translation.snapshot.rules[entry.payload.index()].origin;
    let place = files.place(&origin.object, &format!("spec.rules[{}]", origin.rule));
    Row {
        object: origin.object.to_string(),
        rule: origin.rule,
        name: origin.name.to_string(),
        file: place.map(|(file, _)| file.to_owned()),
        line: place.map(|(_, line)| line),
        host: why::host(&entry.host),
        path_type: entry.path.kind(),
        path: why::path(&entry.path),
    }
}
