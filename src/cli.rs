//! The command line.

#[cfg(feature = "kubernetes")]
pub mod preflight;
