//! What the tests of this tier stand on: a cluster, pods that echo, the gateway as a process, and
//! waiting for a condition with a deadline. The tools come from the environment that
//! `tests/setup/setup.sh` writes.

mod address;
#[path = "../support/authority.rs"]
mod authority;
mod certs;
mod cluster;
mod echo;
#[path = "../support/eventually.rs"]
mod eventually;
pub(crate) mod expect;
mod gateway;
pub(crate) mod http;
pub(crate) mod https;
mod kubeconfig;
mod load;
pub(crate) mod objects;
#[allow(dead_code, reason = "the gateway tier uses the rest")]
#[path = "../support/process.rs"]
mod process;
mod release;
pub(crate) mod service;
mod switch;
mod tools;

pub(crate) use address::{pod_address, pod_address_v6};
pub(crate) use authority::Authority;
pub(crate) use certs::tls_secret;
pub(crate) use cluster::Cluster;
pub(crate) use echo::Echo;
pub(crate) use eventually::eventually;
pub(crate) use gateway::Gateway;
pub(crate) use load::Load;
pub(crate) use objects::{FOLLOW, Objects};
pub(crate) use release::Release;
pub(crate) use service::Backend;
pub(crate) use switch::Switch;
