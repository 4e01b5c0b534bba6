//! The Kubernetes tier: a real etcd, kube-apiserver and controller manager, the binary under the
//! chart's identity, and echo servers as pods. `make test TIERS=kubernetes` brings the tools and
//! enters the network namespace in which pod addresses are local; a plain `cargo test` leaves
//! this tier out.

#![allow(clippy::needless_pass_by_value, reason = "objects are made by json! where they are passed")]

mod cluster;
mod crd;
mod endpoints;
mod harness;
mod ingress;
mod kubectl;
mod latency;
mod leader;
mod outages;
mod registrations;
mod routes;
mod scope;
mod status;
mod tls;
