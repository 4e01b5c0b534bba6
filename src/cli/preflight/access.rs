//! The rights that the gateway needs, each asked for with a SelfSubjectAccessReview.

use super::{Finding, PreflightOptions, answer};
use crate::control::{
    change::Scope,
    watch::kubernetes::{mend_rights, resource_name},
};
use futures_util::{StreamExt as _, stream};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::{Api, Client, api::PostParams};
use std::fmt;

/// Reviews under way at once.
const CONCURRENCY: usize = 8;

/// One verb on one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Right {
    verb: &'static str,
    /// The plural name, with a subresource if there is one.
    resource: String,
    group: String,
    namespace: Option<String>,
    name: Option<String>,
    /// What to do where the right is missing.
    mend: String,
}

impl Right {
    fn parts(&self) -> (&str, Option<&str>) {
        self.resource.split_once('/').map_or((&*self.resource, None), |(resource, sub)| (resource, Some(sub)))
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (resource, subresource) = self.parts();
        write!(f, "{} {resource}", self.verb)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Some(subresource) = subresource {
            write!(f, "/{subresource}")?;
        }
        if let Some(name) = &self.name {
            write!(f, " {name}")?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None => f.write_str(" in all namespaces"),
        }
    }
}

/// Asks for every right.
pub(super) async fn check(client: &Client, options: &PreflightOptions) -> Vec<Finding> {
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    stream::iter(rights(options)).map(|right| ask(api.clone(), right)).buffered(CONCURRENCY).collect().await
}

async fn ask(api: Api<SelfSubjectAccessReview>, right: Right) -> Finding {
    match answer(api.create(&PostParams::default(), &review(&right))).await {
        Ok(review) if review.status.as_ref().is_some_and(|status| status.allowed) => Ok(format!("may {right}")),
        Ok(_) => Err(format!("may not {right}: {}", right.mend)),
        Err(error) => Err(format!("cannot tell whether it may {right}: {error}")),
    }
}

fn review(right: &Right) -> SelfSubjectAccessReview {
    let (resource, subresource) = right.parts();
    let attributes = ResourceAttributes {
        verb: Some(right.verb.to_owned()),
        group: Some(right.group.clone()),
        resource: Some(resource.to_owned()),
        subresource: subresource.map(str::to_owned),
        namespace: right.namespace.clone(),
        name: right.name.clone(),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
    SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() }
}

/// Every right that these settings need, reads first.
fn rights(options: &PreflightOptions) -> Vec<Right> {
    let mut rights: Vec<Right> = options.watch.scopes().iter().flat_map(watching).collect();
    let namespaces: Vec<Option<String>> = match options.watch.is_namespaced() {
        true => options.watch.namespaces.iter().map(|name| Some(name.to_string())).collect(),
        false => vec![None],
    };
    rights.extend(namespaces.into_iter().flat_map(|namespace| writing(namespace.as_deref())));
    rights.extend(electing(options));
    rights.extend(options.publish_service.iter().flat_map(publishing));
    rights
}

fn watching(scope: &Scope) -> Vec<Right> {
    let full = resource_name(scope.kind);
    let (resource, group) = full.split_once('.').unwrap_or((full, ""));
    let right = |verb| Right {
        verb,
        resource: resource.to_owned(),
        group: group.to_owned(),
        namespace: scope.namespace.as_deref().map(str::to_owned),
        name: None,
        mend: mend_rights(scope, verb),
    };
    vec![right("list"), right("watch")]
}

const MEND_BY_CHART: &str = "set the chart value rbac.create=true, or grant it with a Role or ClusterRole";

fn writing(namespace: Option<&str>) -> Vec<Right> {
    let right = |verb, resource: &str, group: &str| Right {
        verb,
        resource: resource.to_owned(),
        group: group.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: None,
        mend: MEND_BY_CHART.to_owned(),
    };
    vec![
        right("get", "gatewayroutes", "paifang.dev"),
        right("patch", "gatewayroutes/status", "paifang.dev"),
        right("get", "ingresses", "networking.k8s.io"),
        right("patch", "ingresses/status", "networking.k8s.io"),
        right("create", "events", "events.k8s.io"),
    ]
}

fn electing(options: &PreflightOptions) -> Vec<Right> {
    let right = |verb, name: Option<&str>| Right {
        verb,
        resource: "leases".to_owned(),
        group: "coordination.k8s.io".to_owned(),
        namespace: Some(options.pod_namespace.clone()),
        name: name.map(str::to_owned),
        mend: MEND_BY_CHART.to_owned(),
    };
    let name = Some(options.lease_name.as_str());
    vec![right("create", None), right("get", name), right("update", name)]
}

fn publishing((namespace, name): &(String, String)) -> Vec<Right> {
    let right = |verb| Right {
        verb,
        resource: "services".to_owned(),
        group: String::new(),
        namespace: Some(namespace.clone()),
        name: Some(name.clone()),
        mend: "grant it with a Role, or set the chart value publishAddresses instead of publishService".to_owned(),
    };
    vec![right("list"), right("watch")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::watch::kubernetes::WatchSettings;

    fn options(watch: WatchSettings) -> PreflightOptions {
        let (pod_namespace, lease_name) = ("paifang".to_owned(), "paifang".to_owned());
        PreflightOptions { watch, pod_namespace, lease_name, ..PreflightOptions::default() }
    }

    #[test]
    fn named_namespaces_need_no_cluster_wide_right() {
        let watch = WatchSettings {
            namespaces: vec!["shop".into()],
            tls_namespaces: Some(vec!["certs".into()]),
            pod_registrations: true,
            ..WatchSettings::default()
        };
        let rights = rights(&options(watch));
        assert!(rights.iter().all(|right| right.namespace.is_some()));
        assert!(rights.iter().any(|right| right.to_string() == "watch secrets in namespace certs"));
        assert!(rights.iter().any(|right| right.to_string() == "list pods in namespace shop"));
    }

    #[test]
    fn a_right_reads_as_a_sentence_and_asks_for_the_subresource() {
        let rights = rights(&options(WatchSettings::default()));
        let status = rights.iter().find(|right| right.resource == "gatewayroutes/status").unwrap();
        assert_eq!(status.to_string(), "patch gatewayroutes.paifang.dev/status in all namespaces");
        let attributes = review(status).spec.resource_attributes.unwrap();
        assert_eq!(
            (attributes.resource.as_deref(), attributes.subresource.as_deref()),
            (Some("gatewayroutes"), Some("status"))
        );
        assert!(
            rights
                .iter()
                .any(|right| right.to_string() == "update leases.coordination.k8s.io paifang in namespace paifang")
        );
    }
}
