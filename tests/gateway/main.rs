//! The gateway tier: the real binary in standalone mode over loopback, byte for byte.

mod admin;
mod back_pressure;
mod commands;
mod errors;
mod explaining;
mod forwarding;
mod harness;
mod health;
mod http2;
mod leaving;
mod lifecycle;
mod matching;
mod observing;
mod path_safety;
mod pooling;
mod reload;
mod retrying;
mod smuggling;
mod sparing;
mod speaking;
mod stalls;
mod streaming;
mod timeouts;
mod tls;
mod web;
