//! The addresses that go into the status of Ingresses.

use crate::control::watch::kubernetes::Named;
use k8s_openapi::api::core::v1::Service;
use std::{future::pending, net::IpAddr, sync::Arc};
use tokio::sync::watch;

/// One address at which the gateway can be reached from outside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PublishAddress {
    /// An IP address.
    Ip(IpAddr),
    /// A host name.
    Host(String),
}

impl From<&str> for PublishAddress {
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Host(text.to_owned()), Self::Ip)
    }
}

/// Where the addresses come from.
#[derive(Clone, Debug)]
pub enum Publish {
    /// None are published: the status of Ingresses is left alone.
    Nothing,
    /// A list that does not change.
    Addresses(Vec<PublishAddress>),
    /// The load-balancer addresses and external IPs of a Service.
    Service(watch::Receiver<Named<Service>>),
}

impl Publish {
    /// The addresses, sorted. `None`: not known, leave what is there.
    pub(super) fn addresses(&self) -> Option<Arc<[PublishAddress]>> {
        let mut list = match self {
            Self::Nothing => return None,
            Self::Addresses(list) => list.clone(),
            Self::Service(receiver) => match &*receiver.borrow() {
                Named::Unknown | Named::Absent => return None,
                Named::Found(service) => of_service(service),
            },
        };
        list.sort();
        list.dedup();
        Some(list.into())
    }

    /// Waits until the addresses may have changed.
    pub(super) async fn changed(&mut self) {
        if let Self::Service(receiver) = self
            && receiver.changed().await.is_ok()
        {
            return;
        }
        pending::<()>().await;
    }
}

fn of_service(service: &Service) -> Vec<PublishAddress> {
    let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let points = status.and_then(|balancer| balancer.ingress.as_deref()).unwrap_or_default();
    let balancer = points.iter().filter_map(|point| point.ip.as_deref().or(point.hostname.as_deref()));
    let external = service.spec.as_ref().and_then(|spec| spec.external_ips.as_deref()).unwrap_or_default();
    balancer.chain(external.iter().map(String::as_str)).map(PublishAddress::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_service_publishes_its_balancer_addresses_and_external_ips_once_each() {
        let service: Service = serde_json::from_value(json!({
            "spec": {"externalIPs": ["192.0.2.9", "192.0.2.1"]},
            "status": {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}, {"ip": "192.0.2.1"}]}},
        }))
        .unwrap();
        let (_sender, receiver) = watch::channel(Named::Found(Arc::new(service)));
        let addresses = Publish::Service(receiver).addresses().unwrap();
        assert_eq!(&*addresses, ["192.0.2.1", "192.0.2.9", "lb.example.com"].map(PublishAddress::from));
    }

    #[test]
    fn an_unknown_service_leaves_the_status_alone() {
        let (_sender, receiver) = watch::channel(Named::Unknown);
        assert_eq!(Publish::Service(receiver).addresses(), None);
    }
}
