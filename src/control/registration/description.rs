//! What a registration says of its service besides the nodes: the endpoints, and which requests reach them.

use crate::rpc::{
    endpoint::{Handler, Routing, Rule},
    registry::{Endpoint, Metadata, Service},
};
use crate::table::PathPattern;
use std::sync::{Arc, OnceLock};
use twox_hash::XxHash3_64;

/// After so many regular expressions no more endpoints of a service are read: each may take up to a mebibyte.
pub const MOST_EXPRESSIONS: usize = 128;

/// One version of a service without its nodes, and what was made of it once somebody asked.
#[derive(Debug)]
pub struct Description {
    service: Service,
    /// Differs where the service does, almost always: most comparisons end here.
    hash: u64,
    compiled: OnceLock<Compiled>,
}

/// What the endpoints of a service ask for.
#[derive(Debug, Default)]
struct Compiled {
    rules: Vec<EndpointRule>,
    problems: Vec<String>,
}

/// What reaches an endpoint.
#[derive(Debug)]
pub struct EndpointRule {
    /// The metadata that says so.
    pub metadata: Metadata,
    /// The patterns of it.
    pub rule: Arc<Rule>,
}

impl PartialEq for Description {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.service == other.service
    }
}

impl Description {
    pub(super) fn of(mut service: Service) -> Self {
        service.nodes = Vec::new();
        let text = serde_json::to_vec(&service).unwrap_or_default();
        Self { service, hash: XxHash3_64::oneshot(&text), compiled: OnceLock::new() }
    }

    /// The name of the service.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.service.name
    }

    /// The version of the service, without nodes.
    #[must_use]
    pub const fn service(&self) -> &Service {
        &self.service
    }

    /// What reaches the endpoints that say so.
    pub fn rules(&self) -> &[EndpointRule] {
        &self.compiled().rules
    }

    /// What is wrong with the metadata of endpoints.
    pub fn problems(&self) -> &[String] {
        &self.compiled().problems
    }

    fn compiled(&self) -> &Compiled {
        self.compiled.get_or_init(|| compile(&self.service))
    }
}

fn compile(service: &Service) -> Compiled {
    let mut compiled = Compiled::default();
    let mut expressions = 0;
    for endpoint in service.endpoints.iter().filter(|endpoint| !endpoint.is_subscriber()) {
        let routing = Routing::decode(&endpoint.metadata);
        if !routing.is_given() {
            continue;
        }
        if expressions >= MOST_EXPRESSIONS {
            let message =
                format!("comes after {MOST_EXPRESSIONS} regular expressions: it and those after it are left out");
            compiled.problems.push(named(endpoint, &message));
            break;
        }
        match routing.compile() {
            Ok(rule) if rule.paths.is_empty() => {}
            Ok(rule) if rule.handler == Handler::Event => {
                let message =
                    "handler: `event` is not available in this version: no request reaches it by its metadata";
                compiled.problems.push(named(endpoint, message));
            }
            Ok(rule) => {
                expressions += rule.paths.iter().filter(|path| matches!(path, PathPattern::Regex(_))).count();
                compiled.rules.push(EndpointRule { metadata: endpoint.metadata.clone(), rule: Arc::new(rule) });
            }
            Err(error) => {
                compiled.problems.push(named(endpoint, &format!("{error}; no request reaches it by its metadata")));
            }
        }
    }
    compiled
}

fn named(endpoint: &Endpoint, message: &str) -> String {
    format!("endpoint {}: {message}", endpoint.name)
}
