//! The gateway tier: the real binary in standalone mode over loopback, byte for byte.

mod forwarding;
mod harness;
