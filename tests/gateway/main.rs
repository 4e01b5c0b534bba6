//! The gateway tier: the real binary in standalone mode over loopback, byte for byte.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test that cannot go on says where")]

mod admin;
mod errors;
mod forwarding;
mod harness;
mod http2;
mod lifecycle;
mod matching;
mod observing;
mod path_safety;
mod pooling;
mod reload;
mod smuggling;
mod streaming;
mod tls;
mod web;
