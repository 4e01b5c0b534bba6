//! What the tests of this tier stand on: a cluster, pods that echo, the gateway as a process, and
//! waiting for a condition with a deadline. The tools come from the environment that
//! `tests/setup/setup.sh` writes.

mod address;
mod certs;
mod cluster;
mod echo;
mod eventually;
#[expect(dead_code, reason = "the tests of the gateway use it")]
mod gateway;
pub(crate) mod http;
mod kubeconfig;
mod process;
mod tools;

pub(crate) use address::{pod_address, pod_address_v6};
#[expect(unused_imports, reason = "the tests of TLS use it")]
pub(crate) use certs::Authority;
pub(crate) use cluster::Cluster;
pub(crate) use echo::Echo;
pub(crate) use eventually::eventually;
#[expect(unused_imports, reason = "the tests of the gateway use it")]
pub(crate) use gateway::Gateway;
